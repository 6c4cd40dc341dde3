// Packages: what can be deployed, what it consists of, what may be set. Beside them the secrets that they may use.

import { call, get, path } from "./api.js";
import { complain, instead } from "./app.js";
import { askFor } from "./confirm.js";
import { button, code, empty, fill, h, link, muted, table } from "./dom.js";
import { group, tabs } from "./clusters.js";
import { listing, where } from "./listing.js";
import { fullName, page, pageOf } from "./names.js";
import { since } from "./words.js";

const TABS = [["/packages", "Packages"], ["/secrets", "Secrets"]];
const KIND = { manifests: "manifests", kustomize: "kustomization", helm: "Helm chart", container: "container", vm: "virtual machine" };
const kindOf = ({ source }) => KIND[Object.keys(source)[0]] ?? Object.keys(source)[0];

export function showPackages(main) {
  document.title = "Packages · Cairn";
  const body = h("div");
  fill(main, h("div", { class: "head" }, h("h1", null, "Packages"), h("div", { class: "actions" }, link("/new/packages", "New package"))), tabs(TABS, "/packages"), body);
  return listing(body, { kind: "Package", head: ["Package", "Version", "Lives in", "Holds", "What it is", ""],
    row: (one) => [link(pageOf(one), one.spec.package), one.spec.version, where(one), one.spec.applications.map((a) => h("div", null, a.name, muted(` ${kindOf(a)}`))),
      one.spec.description ?? "", link(deployHref(one), "Deploy")],
    empty: () => empty("No packages yet", "A package is what can be deployed: containers, virtual machines, manifests or charts, with parameters. A version never changes.",
      link("/new/packages", "New package"), h("p", { class: "muted" }, "Or: cairn package push FILE")) });
}

const deployHref = ({ spec, metadata }) => `/make/deployments?package=${encodeURIComponent(spec.package)}&version=${encodeURIComponent(spec.version)}${metadata.namespace.includes(".") ? `&namespace=${metadata.namespace}` : ""}`;

export function showPackage(main, key) {
  const view = { left: false };
  document.title = `${key.split(".")[0]} · Cairn`;
  fill(main, muted("Loading…"));
  get(path("packages", key)).then((one) => { if (!view.left) draw(main, one); }).catch((problem) => (view.left ? null : [404, 403, 401].includes(problem.status) ? instead(problem) : complain(problem)));
  return () => { view.left = true; };
}

function draw(main, one) {
  const { spec, metadata } = one;
  fill(main, h("div", { class: "hosthead" }, h("p", { class: "crumbs" }, link("/packages", "Packages"), " / ", metadata.namespace || "appliance"),
    h("div", { class: "title" }, h("h1", null, spec.package), h("span", { class: "badge idle" }, spec.version)), h("p", null, spec.description ?? ""),
    h("div", { class: "actions" }, link(deployHref(one), "Deploy"), link(`/edit/packages/${encodeURIComponent(fullName(one))}`, "Show as text"))),
  h("div", { class: "columns" }, h("section", null, h("h2", null, "Applications"), table(["Application", "Is a", "Says", "After"],
    spec.applications.map((a) => [a.name, kindOf(a), says(a.source), a.dependsOn?.join(", ")])), parameters(spec.parameters), profiles(spec.profiles)),
  h("aside", { class: "facts" }, group("Package", [["Name", fullName(one)], ["Needs", spec.dependencies?.map((d) => `${d.package}${d.atLeast ? ` ${d.atLeast} or later` : ""}`).join(", ")],
    ["Artifact", code(spec.artifact)], ["Since", since(Date.parse(metadata.creationTimestamp))]]))));
}

function says(source) {
  if (source.container) return code(source.container.image);
  if (source.vm) return `${source.vm.cpus} CPU, ${Math.round(source.vm.memoryBytes / 2 ** 20)} MiB, ${source.vm.disks.length} disks`;
  const files = source.manifests ?? source.kustomize ?? source.helm?.files ?? {};
  return files.artifact ? code(files.artifact) : Object.keys(files.inline ?? {}).map((file) => h("div", null, code(file)));
}

function parameters(all) {
  if (!all?.length) return null;
  return [h("h2", null, "Parameters"), table(["Parameter", "Type", "Default", "What it is"], all.map((p) => [
    [code(p.name), p.mandatory ? [" ", h("span", { class: "badge warn" }, "mandatory")] : null], p.type ?? "string", p.default === undefined ? null : code(typeof p.default === "string" ? p.default : JSON.stringify(p.default)), [p.description ?? "", rules(p)]]))];
}

function rules({ validator = {}, suggested }) {
  const all = [validator.pattern && `matches ${validator.pattern}`, validator.minimum !== undefined && `at least ${validator.minimum}`, validator.maximum !== undefined && `at most ${validator.maximum}`,
    validator.oneOf?.length && `one of ${validator.oneOf.join(", ")}`, suggested?.length && `such as ${suggested.join(", ")}`].filter(Boolean);
  return all.length ? h("span", { class: "sub" }, all.join("; ")) : null;
}

function profiles(all) {
  if (!all?.length) return null;
  return [h("h2", null, "Profiles"), table(["Profile", "Sets", "What it is"], all.map((p) => [p.name, Object.entries(p.parameters ?? {}).map(([k, v]) => h("div", null, code(`${k}=${typeof v === "string" ? v : JSON.stringify(v)}`))), p.description]))];
}

export function showSecrets(main) {
  document.title = "Secrets · Cairn";
  const body = h("div");
  const set = (one) => change(one).catch(complain);
  fill(main, h("div", { class: "head" }, h("h1", null, "Secrets"), h("div", { class: "actions" }, link("/new/secrets", "New secret"))), tabs(TABS, "/secrets"),
    h("p", { class: "muted" }, "Values go to proven hosts only, when a deployment there needs them. Nobody can read them back."), body);
  return listing(body, { kind: "Secret", head: ["Secret", "Project", "Values", "What it is", ""],
    row: (one) => [link(page("Secret", fullName(one)), one.metadata.name), where(one), (one.status?.keys ?? []).map((key) => h("code", { class: "label" }, key)), one.spec.description ?? "",
      button("Set a value", () => set(one), { class: "small" })],
    empty: () => empty("No secrets yet", "A secret holds values such as passwords, for parameters of packages.", link("/new/secrets", "New secret"), h("p", { class: "muted" }, "Or: cairn secret set NAME KEY --from-stdin")) });
}

async function change(one) {
  const given = await askFor({ title: `Set a value of ${one.metadata.name}`, label: "Set", text: "It takes the place of the one that is there.", fields: [
    { name: "key", label: "Key", placeholder: "password" }, { name: "value", label: "Value", type: "password" }] });
  if (given) await call("PUT", `${path("secrets", one.metadata.uid)}/values`, { values: { [given.key]: given.value } });
}
