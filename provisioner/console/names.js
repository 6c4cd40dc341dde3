// Full names and addresses: `NAME.NAMESPACE`, and where the console and the API keep what has one.

export const KINDS = {
  Organisation: "organisations", Project: "projects", Region: "regions", Site: "sites", Host: "hosts", Policy: "policies",
  OsImage: "osimages", FirmwareProfile: "firmwareprofiles", ClaimRule: "claimrules", User: "users", Role: "roles",
  RoleBinding: "rolebindings", Token: "tokens", Distribution: "distributions", ClusterTemplate: "clustertemplates", Cluster: "clusters",
  Package: "packages", Secret: "secrets", Deployment: "deployments",
};
/** Kinds with a page of their own beside the editor. */
const PAGES = ["hosts", "clusters", "packages", "deployments"];
export const NODES = ["organisations", "projects", "regions", "sites"];

export const kindOf = (plural) => Object.keys(KINDS).find((kind) => KINDS[kind] === plural);

export function fullName(object) {
  const { name, namespace } = object.metadata;
  return namespace ? `${name}.${namespace}` : name;
}

/** The namespace that lies in this node: its own for regions and sites. */
export function inside(object) {
  return object.kind === "Organisation" || object.kind === "Project" ? fullName(object) : object.metadata.namespace;
}

/** Address of a resource's page in the console. */
export function page(kind, name) {
  const plural = KINDS[kind] ?? kind;
  const key = encodeURIComponent(name);
  if (PAGES.includes(plural)) return `/${plural}/${key}`;
  return NODES.includes(plural) ? `/at/${plural}/${key}` : `/edit/${plural}/${key}`;
}

export const pageOf = (object) => page(object.kind, fullName(object));

/** What people call it: the display name where it has one. */
export const called = (object) => object.spec.displayName || object.metadata.name;
