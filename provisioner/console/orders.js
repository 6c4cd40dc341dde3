// What a person may tell a host to do, each asked for before it is done.

import { call, path, several } from "./api.js";
import { complain, go, notice } from "./app.js";
import { ask, askFor } from "./confirm.js";
import { fullName } from "./names.js";

const ORDERS = {
  accept: { label: "Accept", tone: "primary", run: accept },
  retry: { label: "Retry", tone: "primary", text: "Let it try again from the start? It goes on at its next network boot." },
  reinstall: { label: "Reinstall", tone: "danger", run: reinstall },
  deauthorise: { label: "Deauthorise", tone: "danger",
    text: "End its connections and void its certificate at once? It must prove itself again and be let in. Its disk is not touched." },
  decommission: { label: "Decommission", tone: "danger", typed: true,
    text: "Wipe its disk at its next network boot, prove that, and retire the host? Everything on its disk is erased." },
  remove: { label: "Remove", tone: "danger", run: remove },
};

/** Buttons for what its state allows; `changed` gets the host as it is afterwards. */
export function orders(host, changed) {
  const own = host.status.actions.filter((name) => ORDERS[name]).map((name) => button(host, name, ORDERS[name], changed));
  return [...own.filter(({ tone }) => tone === "primary"),
    { id: "labels", label: "Labels", tone: "", run: () => labels(host, changed).catch(complain) }, { id: "move", label: "Move", tone: "", run: () => move(host, changed).catch(complain) },
    ...own.filter(({ tone }) => tone !== "primary")];
}

function button(host, id, order, changed) {
  const plain = async () => {
    const yes = await ask({ title: `${order.label} ${host.metadata.name}`, text: order.text, label: order.label, danger: order.tone === "danger",
      typed: order.typed ? host.metadata.name : null });
    if (yes) await tell(host, id, undefined, changed);
  };
  return { id, label: order.label, tone: order.tone, run: () => (order.run ? order.run(host, changed) : plain()).catch(complain) };
}

const tell = async (host, word, body, changed) => {
  try { changed(await call("POST", `${path("hosts", host.metadata.uid)}/${word}`, body)); } catch (problem) { complain(problem); }
};

async function accept(host, changed) {
  const values = await askFor({ title: `Accept ${host.metadata.name}`, label: "Accept", text: "It becomes a host of this site and is installed at its next network boot.", fields: [
    { name: "name", label: "Name", value: host.metadata.name },
    { name: "site", label: "Site", value: host.spec.site, hint: "SITE, or SITE.PROJECT.ORGANISATION to move it at once." },
    { name: "image", label: "OS image", value: host.spec.image, hint: "Empty: by policy." },
  ] });
  if (!values) return;
  const { name, site, image } = values;
  await tell(host, "accept", { ...(name && name !== host.metadata.name ? { name } : {}), ...(site && site !== host.spec.site ? { site } : {}), ...(image ? { image } : {}) }, changed);
}

async function reinstall(host, changed) {
  const { name } = host.metadata;
  const values = await askFor({ title: `Reinstall ${name}`, label: "Reinstall", text: "It is installed again at its next network boot. Everything on its disk is erased.", fields: [
    { name: "typed", label: `Type ${name} to confirm` },
    { name: "force", label: "Even outside of its maintenance windows", type: "checkbox" },
  ] });
  if (!values) return;
  if (values.typed !== name) return notice("warn", `Nothing was done: "${values.typed}" is not ${name}.`);
  await tell(host, "reinstall", { force: values.force }, changed);
}

async function remove(host) {
  const { name, uid } = host.metadata;
  const yes = await ask({ title: `Remove ${name}`, label: "Remove", danger: true, typed: name,
    text: "Remove the record of this host? Its certificate is void at once; its disk is not touched." });
  if (!yes) return;
  try {
    await call("DELETE", path("hosts", uid));
    go("/");
    notice("good", `${fullName(host)} is removed.`);
  } catch (problem) { complain(problem); }
}

async function move(host, changed) {
  const [{ items: projects }, { items: sites, more }] = await Promise.all([several("projects"), several("sites", { namespace: host.metadata.namespace })]);
  const home = host.metadata.namespace;
  const values = await askFor({ title: `Move ${host.metadata.name}`, label: "Move", text: "Labels, settings and policies of its new place apply at once.", fields: [
    { name: "namespace", label: "Project", value: home, options: projects.map((p) => [fullName(p), fullName(p)]) },
    { name: "site", label: "Site", value: host.spec.site, hint: more || sites.length === 0 ? "A site of that project." : `In ${home}: ${sites.slice(0, 12).map((s) => s.metadata.name).join(", ")}${sites.length > 12 ? " …" : ""}` },
  ] });
  if (!values) return;
  const where = { ...(values.namespace !== home ? { namespace: values.namespace } : {}), ...(values.site ? { site: `${values.site}.${values.namespace}` } : {}) };
  await tell(host, "move", where, changed);
}

async function labels(host, changed) {
  const now = host.metadata.labels ?? {};
  const text = Object.entries(now).map(([key, value]) => (value ? `${key}=${value}` : key)).join(", ");
  const values = await askFor({ title: `Labels of ${host.metadata.name}`, label: "Save", text: "Its own labels; those that come from above stand under What applies to it.", fields: [
    { name: "labels", label: "Labels", value: text, placeholder: "env=prod, tier=web" }] });
  if (!values) return;
  const wanted = Object.fromEntries(values.labels.split(",").map((one) => one.trim()).filter(Boolean).map((one) => one.split("=").map((part) => part.trim())).map(([key, value = ""]) => [key, value]));
  const gone = Object.fromEntries(Object.keys(now).filter((key) => !(key in wanted)).map((key) => [key, null]));
  try {
    changed(await call("PATCH", path("hosts", host.metadata.uid), { metadata: { labels: { ...gone, ...wanted } } }, { "If-Match": `"${host.metadata.resourceVersion}"` }));
  } catch (problem) { complain(problem); }
}
