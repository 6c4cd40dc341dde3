// Clusters with their nodes; beside them what they are made from: templates and distributions.

import { call, path } from "./api.js";
import { complain, go, notice } from "./app.js";
import { editLink, labels } from "./applies.js";
import { ask } from "./confirm.js";
import { detail } from "./detail.js";
import { button, empty, fill, h, link, muted, table } from "./dom.js";
import { listing, where } from "./listing.js";
import { fullName, page, pageOf } from "./names.js";
import { conditions, phaseBadge, reasons, said, selectorText, shareText, why } from "./workloads.js";
import { badge, bytes, since } from "./words.js";

const TABS = [["/clusters", "Clusters"], ["/templates", "Templates"], ["/distributions", "Distributions"]];

const LISTS = {
  "/clusters": { kind: "Cluster", head: ["Cluster", "Phase", "Nodes", "Version", "Why"], make: ["/new/clusters", "New cluster"],
    row: (one) => [name(one), phaseBadge(one), shareText(one), one.status?.version ?? muted("–"), h("div", { class: "why" }, why(one))],
    empty: () => empty("No clusters yet", "A cluster is one or more running hosts with Kubernetes. Deployments reach it by its labels.", link("/new/clusters", "New cluster"),
      h("p", { class: "muted" }, "Or: cairn cluster create NAME --hosts HOST,…")) },
  "/templates": { kind: "ClusterTemplate", head: ["Template", "Lives in", "Version", "Distribution", "Networks", "What it is"], make: ["/new/clustertemplates", "New template"],
    row: (one) => [[link(pageOf(one), one.metadata.name), one.spec.default ? [" ", badge0("default")] : null], where(one), one.spec.version, one.spec.distribution,
      [`pods ${one.spec.podCidr}`, h("span", { class: "sub" }, `services ${one.spec.serviceCidr}, ${one.spec.cni}`)], one.spec.description ?? ""],
    empty: () => empty("No templates yet", "A template says how clusters are made: distribution, networks, add-ons.", link("/new/clustertemplates", "New template")) },
  "/distributions": { kind: "Distribution", head: ["Distribution", "Lives in", "Family", "Version", "Files"],
    row: (one) => [link(pageOf(one), one.metadata.name), where(one), one.spec.family, one.spec.version, files(one)],
    empty: () => empty("No distributions yet", "A distribution is Kubernetes at one version: its files by digest, and how hosts run them.", h("code", null, "cairn distribution import FOLDER")) },
};

const badge0 = (text) => h("span", { class: "badge idle" }, text);
const name = (one) => [link(pageOf(one), one.metadata.name), h("span", { class: "sub" }, one.metadata.namespace)];

function files({ spec }) {
  const all = spec.run.artifacts ?? [];
  return all.length ? `${all.length}, ${bytes(all.reduce((sum, { size }) => sum + size, 0))}` : muted("none");
}

export function showClusters(main, at = "/clusters") {
  const { make, kind, head, row, empty } = LISTS[at];
  const title = TABS.find(([href]) => href === at)[1];
  document.title = `${title} · Cairn`;
  const body = h("div");
  fill(main, h("div", { class: "head" }, h("h1", null, title), make ? h("div", { class: "actions" }, link(...make)) : null), tabs(TABS, at), body);
  return listing(body, { kind, head, row, empty });
}

export const tabs = (all, here) => h("nav", { class: "tabs", "aria-label": "Kinds" }, all.map(([href, text]) => h("a", { href, "aria-current": href === here ? "page" : null }, text)));

export function showCluster(main, key) {
  return detail(main, { kind: "Cluster", key, rows: "nodes", home: "/clusters", draw });
}

function draw(parts, cluster, nodes) {
  const { spec, status = {}, metadata } = cluster;
  fill(parts.head, h("p", { class: "crumbs" }, link("/clusters", "Clusters"), " / ", metadata.namespace),
    h("div", { class: "title" }, h("h1", null, metadata.name), phaseBadge(cluster), muted(status.version ? `Kubernetes ${status.version}` : "")),
    reasons(cluster), h("div", { class: "actions" }, button("Delete", () => remove(cluster).catch(complain), { class: "danger", id: "do-delete" }), editLink("clusters", fullName(cluster), "Edit as text")));
  fill(parts.body, h("div", { class: "columns" }, h("section", null, h("h2", null, "Nodes"), nodeTable(nodes), addons(status.addons)), facts(cluster, spec, status)));
}

function nodeTable(nodes) {
  if (nodes.length === 0) return h("p", { class: "muted" }, "No host yet: name some, or let its selector find some that run.");
  return table(["Node", "Role", "Phase", "In Kubernetes", "Why", "Heard"], nodes.map((node) => [
    [link(page("Host", node.host), node.node), node.version ? h("span", { class: "sub" }, node.version) : null], node.role, badge(node.phase),
    node.ready === undefined || node.ready === null ? muted("not known") : h("span", { class: `badge ${node.ready ? "good" : "warn"}` }, node.ready ? "ready" : "not ready"),
    said(node), node.heard ? since(Date.parse(node.heard)) : muted("never")]), { caption: "Nodes" });
}

function addons(all) {
  if (!all?.length) return null;
  return [h("h2", null, "Add-ons"), table(["Package", "Phase", "Why"], all.map((one) => [[one.package, one.version ? h("span", { class: "sub" }, one.version) : null], badge(one.phase), said(one)]))];
}

function facts(cluster, spec, status) {
  const { metadata } = cluster;
  const rows = [["Project", metadata.namespace], ["Labels", labels(metadata.labels)], ["Template", status.madeFrom ? `${status.madeFrom.template} ${status.madeFrom.version}` : spec.template ?? "the default one"],
    ["Hosts", spec.hosts?.join(", ")], ["Selector", spec.selector ? h("code", null, selectorText(spec.selector)) : null], ["Control plane", status.controlPlane ?? spec.controlPlane],
    ["Endpoint", status.endpoint ? h("code", null, status.endpoint) : null], ["Since", since(Date.parse(metadata.creationTimestamp))]];
  return h("aside", { class: "facts", "aria-label": "Facts" }, group("Cluster", rows), group("Conditions", conditions(cluster)));
}

export function group(title, rows) {
  const given = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? h("section", null, h("h2", null, title), h("dl", null, given.map(([key, value]) => [h("dt", null, key), h("dd", null, value)]))) : null;
}

async function remove(cluster) {
  const { name, uid } = cluster.metadata;
  const yes = await ask({ title: `Delete ${name}`, label: "Delete", danger: true, typed: name,
    text: "Take Kubernetes off its hosts? What runs in it ends, and its data is gone. The hosts stay, clean, for other work." });
  if (!yes) return;
  await call("DELETE", path("clusters", uid));
  go("/clusters");
  notice("good", `${fullName(cluster)} is deleted; its hosts are cleaned.`);
}
