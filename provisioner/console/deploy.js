// The form that brings a package somewhere: choose it, say where to, see what each target would get, then do it.

import { call, several } from "./api.js";
import { complain, go, instead, notice } from "./app.js";
import { button, code, fill, h, link, muted, table } from "./dom.js";
import { called, fullName, pageOf } from "./names.js";
import { matchLabels } from "./workloads.js";

export function showDeploy(main) {
  document.title = "Deploy a package · Cairn";
  const view = { left: false };
  const asked = new URLSearchParams(location.search);
  fill(main, muted("Loading…"));
  Promise.all([several("packages"), several("projects")]).then(([{ items: packages }, { items: projects }]) => {
    if (view.left) return;
    if (packages.length === 0) return fill(main, h("section", { class: "empty" }, h("h2", null, "There is no package to deploy"), h("p", null, "Make one first."), link("/new/packages", "New package")));
    draw(main, packages, projects, asked);
  }).catch((problem) => (view.left ? null : problem.status === 403 ? instead(problem) : complain(problem)));
  return () => { view.left = true; };
}

const versionOrder = (a, b) => { const [x, y] = [a, b].map((v) => v.split(".").map(Number)); return x[0] - y[0] || x[1] - y[1] || x[2] - y[2]; };
const isKubernetes = (one) => one.spec.applications.some(({ source }) => source.manifests || source.kustomize || source.helm);

function draw(main, packages, projects, asked) {
  const names = [...new Set(packages.map((p) => p.spec.package))].sort();
  const field = (id, label, input, hint) => h("div", { class: "field" }, h("label", { for: id }, label), input, hint ? h("p", { class: "muted hint" }, hint) : null);
  const select = (id, options, value, onchange) => h("select", { id, onchange }, options.map(([v, text]) => h("option", { value: v, selected: v === value }, text)));
  const input = (id, props = {}) => h("input", { id, spellcheck: "false", autocapitalize: "none", autocomplete: "off", ...props });
  const parts = { parameters: h("div", { class: "fields" }), answer: h("div", { "aria-live": "polite" }) };
  const ui = {
    name: input("d-name", { required: true, placeholder: "shop" }),
    project: select("d-project", projects.map((p) => [fullName(p), `${called(p)} (${fullName(p)})`]), asked.get("namespace") ?? "default.default"),
    package: select("d-package", names.map((n) => [n, n]), asked.get("package") ?? names[0], () => versions()),
    version: select("d-version", [], "", () => fields()),
    profile: select("d-profile", []),
    kind: select("d-kind", [["cluster", "clusters"], ["host", "hosts"]]),
    selector: input("d-selector", { placeholder: "role=till, tier=prod" }),
    names: input("d-names", { placeholder: "edge-1, edge-2" }),
    batches: input("d-batches", { placeholder: "10, 50, 100" }),
  };
  const chosen = () => {
    const all = packages.filter((p) => p.spec.package === ui.package.value).sort((a, b) => versionOrder(a.spec.version, b.spec.version));
    return all.find((p) => p.spec.version === ui.version.value) ?? all.at(-1);
  };
  const versions = () => {
    const all = packages.filter((p) => p.spec.package === ui.package.value).map((p) => p.spec.version).sort(versionOrder).reverse();
    fill(ui.version, h("option", { value: "" }, `the newest, now ${all[0]}`), all.map((v) => h("option", { value: v, selected: v === asked.get("version") }, v)));
    fields();
  };
  const fields = () => {
    const { spec } = chosen();
    ui.kind.value = isKubernetes(chosen()) ? "cluster" : "host";
    fill(ui.profile, h("option", { value: "" }, "none"), (spec.profiles ?? []).map((p) => h("option", { value: p.name }, p.description ? `${p.name}: ${p.description}` : p.name)));
    fill(parts.parameters, (spec.parameters ?? []).map((p) => field(`p-${p.name}`, p.mandatory ? `${p.name} (mandatory)` : p.name, parameter(p), [p.description, p.type === "secret" ? "SECRET/KEY" : ""].filter(Boolean).join(". "))));
    fill(parts.answer);
  };
  const parameter = (p) => (p.type === "boolean"
    ? select(`p-${p.name}`, [["", `default${p.default === undefined ? "" : `: ${p.default}`}`], ["true", "true"], ["false", "false"]], "")
    : input(`p-${p.name}`, { placeholder: p.default === undefined ? (p.type === "secret" ? "db/password" : "") : String(p.default), list: p.suggested?.length ? `l-${p.name}` : null }));
  const manifest = () => {
    const { spec } = chosen();
    const given = (spec.parameters ?? []).map((p) => [p, document.getElementById(`p-${p.name}`)?.value.trim()]).filter(([, value]) => value);
    const list = (text) => text.split(",").map((one) => one.trim()).filter(Boolean);
    const targets = { kind: ui.kind.value, ...(ui.selector.value.trim() ? { selector: matchLabels(ui.selector.value) } : {}), ...(list(ui.names.value).length ? { names: list(ui.names.value) } : {}) };
    return { apiVersion: "cairn/v1", kind: "Deployment", metadata: { name: ui.name.value.trim(), namespace: ui.project.value }, spec: {
      package: ui.package.value, ...(ui.version.value ? { version: ui.version.value } : {}), ...(ui.profile.value ? { profile: ui.profile.value } : {}),
      ...(given.length ? { parameters: Object.fromEntries(given.map(([p, value]) => [p.name, typed(p, value)])) } : {}), targets,
      ...(ui.batches.value.trim() ? { rollout: { batches: list(ui.batches.value).map(Number) } } : {}) } };
  };
  const tell = (problem) => fill(parts.answer, h("ul", { class: "errors", role: "alert" }, (problem.errors?.length ? problem.errors : [{ field: "", message: problem.message, next: problem.next }])
    .map(({ field: at, message, next }) => h("li", null, [at, [message, next].filter(Boolean).join(". ")].filter(Boolean).join(": ")))));
  const attempt = (run) => async (event) => {
    event.preventDefault();
    try { await run(); } catch (problem) { if (problem.status === 422 || problem.status === 409) tell(problem); else complain(problem); }
  };
  const preview = attempt(async () => fill(parts.answer, shown(await call("POST", "/api/v1/deployments/preview", manifest()))));
  const make = attempt(async () => {
    const made = await call("POST", "/api/v1/deployments", manifest());
    go(pageOf(made));
    notice("good", `${fullName(made)} is made.`);
  });
  fill(main, h("div", { class: "head" }, h("h1", null, "Deploy a package")), h("p", { class: "muted" }, "What matches later gets it too. ", link("/new/deployments", "Write it as text instead.")),
    h("form", { class: "form", onsubmit: make }, field("d-name", "Name", ui.name, "Small letters, digits and dashes."), field("d-project", "Project", ui.project), field("d-package", "Package", ui.package),
      field("d-version", "Version", ui.version), field("d-profile", "Profile", ui.profile), parts.parameters, field("d-kind", "Goes to", ui.kind),
      field("d-selector", "With these labels", ui.selector, "Labels of the region, site or project count too."), field("d-names", "Or by name", ui.names),
      field("d-batches", "In batches, percent", ui.batches, "Empty: to all at once."), parts.answer,
      h("div", { class: "actions" }, button("Preview", preview, { id: "preview" }), h("button", { type: "submit", class: "primary" }, "Deploy"), h("a", { href: "/deployments" }, "Cancel"))));
  versions();
}

function typed({ type }, value) {
  if (type === "integer" || type === "number") return Number.isNaN(Number(value)) ? value : Number(value);
  return type === "boolean" ? value === "true" : value;
}

function shown({ package: name, version, total, targets }) {
  if (total === 0) return h("section", { class: "touched" }, h("h2", null, "Nothing matches now"), h("p", { class: "muted" }, "It waits: what comes later gets it by itself."));
  return h("section", { class: "touched" }, h("h2", null, `${name} ${version} goes to ${total} ${total === 1 ? "target" : "targets"} now`), table(["Target", "Version", "Gets"], targets.map((row) => [
    row.target, row.version || muted("nothing"), row.message ? h("span", { class: "error" }, row.message) : Object.entries(row.parameters).map(([key, value]) => h("div", null, code(`${key}=${typeof value === "string" ? value : JSON.stringify(value)}`)))])));
}
