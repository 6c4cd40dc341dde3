// What each kind is for, where it lives, and how a new one begins in the editor.

const WINDOW = { windows: [{ start: "0 2 * * sun", minutes: 120 }] };

/** `where`: levels that it may live at. `about`: a sentence and what stands in its spec. */
export const ABOUT = {
  organisations: { one: "organisation", where: ["appliance"], spec: { displayName: "" },
    about: "A tenant: what belongs to one is invisible to the others.",
    fields: { displayName: "for people", settings: "for everything below, such as {\"ntp\": \"10.0.0.1\"}" } },
  projects: { one: "project", where: ["organisation"], spec: { displayName: "" },
    about: "A part of an organisation, with regions, sites and hosts. Its namespace is the organisation's name.",
    fields: { displayName: "for people", settings: "for everything below" } },
  regions: { one: "region", where: ["project"], spec: { displayName: "" }, keep: ["parent"],
    about: "A part of a project or of another region. Its labels and settings go down to all below.",
    fields: { parent: "region that it lies in; absent: directly in the project", displayName: "for people", settings: "for everything below" } },
  sites: { one: "site", where: ["project"], spec: { displayName: "", timezone: "Europe/Berlin" }, keep: ["region"],
    about: "A place with hosts.",
    fields: { region: "region that it lies in", timezone: "IANA name; maintenance windows are in it", displayName: "for people", settings: "for its hosts" } },
  hosts: { one: "host", where: ["project"], spec: { serial: "" }, keep: ["site"],
    about: "A machine. At least one of serial, uuid, macs and ek tells it from others.",
    fields: { site: "site of its project", serial: "SMBIOS serial number", uuid: "SMBIOS UUID", macs: "list of addresses", ek: "SHA-256 of its TPM's EK",
      image: "absent: by policy", disk: "which disk may be erased: minSize, maxSize, transports, serial", settings: "of this host alone" } },
  policies: { one: "policy", where: ["appliance", "organisation", "project"], spec: { update: { onlyInWindow: true }, maintenance: WINDOW },
    about: "What applies to the hosts of its target, to those that its selector finds, or else to its whole namespace. Each field resolves by itself; the deepest place wins, unless one above is enforced.",
    fields: { target: "{\"kind\": \"Region\", \"name\": \"…\"}", selector: "{\"matchLabels\": {\"env\": \"prod\"}}", priority: "among policies of one place the higher wins",
      enforced: "true: nothing below may say otherwise", boot: "network (allow, deny), patienceSeconds, maxAttempts", image: "name, silenceSeconds, firstBootSeconds",
      attestation: "mode (enforce, warn), tpmClasses, evidenceSeconds", update: "onlyInWindow", telemetry: "silentAfterSeconds", maintenance: "windows: start (five cron fields), minutes" } },
  claimrules: { one: "claim rule", where: ["project"], spec: { match: { serial: "CN77*" }, site: "main", accept: false },
    about: "Where proven machines go that nobody registered. The rule with the highest priority that fits decides.",
    fields: { match: "serial, uuid, mac, ek, manufacturer, product; * stands for any characters; all that is given must match", site: "site of this project",
      image: "absent: by policy", labels: "of the host", accept: "true: let it in at once; false: it waits there for a person", priority: "the higher is asked first" } },
  firmwareprofiles: { one: "firmware profile", where: ["appliance", "organisation", "project"], spec: { match: { manufacturer: "Lenovo*" }, quirks: { slowStartSeconds: 300 } },
    about: "How a model of machine wants to be treated.",
    fields: { match: "manufacturer, product; * stands for any characters", quirks: "slowStartSeconds: what its power-on self-test adds to every boot deadline" } },
  users: { one: "user", where: ["appliance"], spec: { displayName: "", email: "" },
    about: "A person. Rights come from role bindings; the password is set apart from this.",
    fields: { displayName: "for people", email: "for people", disabled: "true: may not log in", groups: "list of names, for bindings" } },
  roles: { one: "role", where: ["appliance", "organisation", "project"], spec: { description: "", rules: [{ verbs: ["get"], kinds: ["Host", "Site"] }] },
    about: "A set of rights. Built-in: admin, org-admin, project-admin, site-operator, host-installer, app-deployer, auditor, viewer.",
    fields: { rules: "each of verbs (get, create, update, delete, accept, operate, secret, audit) on each of kinds; an empty list means all" } },
  rolebindings: { one: "role binding", where: ["appliance", "organisation", "project"], spec: { role: "viewer", subjects: [{ kind: "User", name: "" }] },
    about: "Who has a role, and where: in its namespace, or at one region or site of it, and all below.",
    fields: { role: "built-in, or one of this namespace or above", subjects: "kind (User, Group) and name", at: "{\"kind\": \"Site\", \"name\": \"…\"}; absent: the whole namespace" } },
  tokens: { one: "service token", where: ["appliance", "organisation", "project"], spec: { role: "viewer", expires: "" },
    about: "A service's credential. Its secret was shown once, when it was made.",
    fields: { role: "as in a binding", at: "a region or site; absent: the whole namespace", expires: "RFC 3339", description: "for people" } },
  distributions: { one: "distribution", where: ["appliance", "organisation", "project"], spec: { family: "kubeadm", version: "1.36.1", run: {} },
    about: "A Kubernetes distribution at one version: files by digest, and what hosts do with them. Files are sent by: cairn distribution import FOLDER",
    fields: { family: "kubeadm, k3s, rke2, or your own word", version: "of Kubernetes", run: "artifacts, common, controlPlane, worker (files, setup, units, finish, health), adminKubeconfig, caCertificate, uninstall, remove" } },
  clustertemplates: { one: "cluster template", where: ["appliance", "organisation", "project"], spec: { version: "1.0.0", distribution: "", podCidr: "10.42.0.0/16", serviceCidr: "10.43.0.0/16" },
    about: "How clusters are made. Each change raises version; clusters keep what they were made with.",
    fields: { distribution: "of this namespace or above", cni: "a word that the distribution knows", nodeLabels: "of all nodes", taints: "key, value, effect", extra: "further words for the distribution's files", addons: "packages that every cluster gets: package, version, parameters", default: "true: where a cluster names none" } },
  clusters: { one: "cluster", where: ["project"], spec: { hosts: [] },
    about: "Running hosts with Kubernetes. Its labels are those by which deployments find it.",
    fields: { template: "absent: the default one", hosts: "by name; the first has the API server", selector: "further hosts, by their effective labels", controlPlane: "the host with the API server; it cannot change" } },
  packages: { one: "package", where: ["appliance", "organisation", "project"], spec: { package: "", version: "1.0.0", applications: [{ name: "web", source: { container: { image: "busybox:1.36" } } }] },
    about: "One version of what can be deployed. It never changes: write another version.",
    fields: { package: "the same name in all versions", version: "three numbers", applications: "name, dependsOn, namespace, patienceSeconds, source: container, vm, manifests, kustomize or helm", parameters: "name, type (string, integer, number, boolean, secret), default, mandatory, suggested, validator", profiles: "ready-made sets of parameters", dependencies: "package, atLeast" } },
  secrets: { one: "secret", where: ["project"], spec: { description: "" },
    about: "Values that only proven hosts get. They are set apart from this, and shown to nobody.", fields: { description: "for people" } },
  deployments: { one: "deployment", where: ["project"], spec: { package: "", targets: { kind: "host", selector: { matchLabels: {} } } },
    about: "A package brought to hosts or clusters of its project.",
    fields: { package: "by its name", version: "absent: the newest, also when a newer one comes", profile: "of the package", parameters: "before the profile's; secrets as SECRET/KEY", targets: "kind (cluster, host), selector, names", overrides: "other parameters for some: names, selector, parameters", rollout: "batches (percent), successPercent, maxFailed", paused: "true: nothing changes" } },
  osimages: { one: "OS image", where: [], about: "As it was added with cairn image add. It is shown and not written here.", fields: {} },
};

/** The text that a new one begins with, from what the address says. */
export function template(plural, kind, params) {
  const about = ABOUT[plural];
  const namespace = params.get("namespace") ?? (about.where[0] === "project" ? "default.default" : about.where[0] === "organisation" ? "default" : "");
  const spec = structuredClone(about.spec);
  for (const key of about.keep ?? []) if (params.get(key)) spec[key] = params.get(key);
  const target = params.get("target")?.split("/");
  if (target?.length === 2) Object.assign(spec, { target: { kind: target[0], name: target[1] } });
  return { apiVersion: "cairn/v1", kind, metadata: { name: "", namespace, labels: {} }, spec };
}
