// Deployments: how far each is, its targets with reasons, pause and resume.

import { call, path } from "./api.js";
import { complain, go, notice } from "./app.js";
import { editLink } from "./applies.js";
import { ask } from "./confirm.js";
import { detail } from "./detail.js";
import { button, code, empty, fill, h, link, muted, table } from "./dom.js";
import { group } from "./clusters.js";
import { listing } from "./listing.js";
import { fullName, page, pageOf } from "./names.js";
import { bar, conditions, parts as applications, phaseBadge, reasons, said, selectorText, shareText, why } from "./workloads.js";
import { badge, since } from "./words.js";

export function showDeployments(main) {
  document.title = "Deployments · Cairn";
  const body = h("div");
  fill(main, h("div", { class: "head" }, h("h1", null, "Deployments"), h("div", { class: "actions" }, link("/make/deployments", "Deploy a package"))), body);
  return listing(body, { kind: "Deployment", head: ["Deployment", "Phase", "Ready", "Package", "To", "Why"],
    row: (one) => [[link(pageOf(one), one.metadata.name), h("span", { class: "sub" }, one.metadata.namespace)], phaseBadge(one), shareText(one), packageOf(one), place(one.spec.targets), h("div", { class: "why" }, why(one))],
    empty: () => empty("No deployments yet", "A deployment brings a package to hosts or clusters: by their labels, also to those that come later, or by name.", link("/make/deployments", "Deploy a package")) });
}

const packageOf = ({ spec, status }) => [spec.package, h("span", { class: "sub" }, spec.version ?? `newest${status?.package ? `, ${status.package.version}` : ""}`)];

function place({ kind = "cluster", selector, names }) {
  return [kind === "host" ? "hosts " : "clusters ", selector ? code(selectorText(selector)) : null, selector && names?.length ? " and " : null, names?.length ? names.join(", ") : null];
}

export function showDeployment(main, key) {
  return detail(main, { kind: "Deployment", key, rows: "targets", home: "/deployments", draw });
}

function draw(parts, one, targets, changed) {
  const { spec, status = {}, metadata } = one;
  const hold = () => set(one, !spec.paused).then(changed).catch(complain);
  fill(parts.head, h("p", { class: "crumbs" }, link("/deployments", "Deployments"), " / ", metadata.namespace),
    h("div", { class: "title" }, h("h1", null, metadata.name), phaseBadge(one), muted(`${spec.package} ${spec.version ?? status.package?.version ?? "(newest)"}`)), reasons(one),
    h("div", { class: "actions" }, button(spec.paused ? "Resume" : "Pause", hold, { class: spec.paused ? "primary" : "", id: "do-pause" }),
      button("Delete", () => remove(one).catch(complain), { class: "danger", id: "do-delete" }), editLink("deployments", fullName(one), "Edit as text")));
  fill(parts.body, status.targets ? h("section", null, h("h2", null, "Rollout"), bar(status.targets), batch(spec, status)) : null,
    h("div", { class: "columns" }, h("section", null, h("h2", null, "Targets"), targetTable(one, targets)), facts(one)));
}

function batch({ rollout }, { rollout: now }) {
  if (!now || !rollout?.batches?.length) return null;
  const steps = rollout.batches.map((percent) => h("span", { class: `badge ${percent <= now.percent ? (now.state === "Stopped" ? "bad" : "busy") : "idle"}` }, `${percent} %`));
  return h("p", { class: "batches" }, "Batches ", steps, muted(` the next when ${rollout.successPercent ?? 100} % of those before are ready`));
}

function targetTable(one, targets) {
  if (targets.length === 0) return h("p", { class: "muted" }, "Nothing matches yet, or nothing was told yet.");
  const kind = one.spec.targets.kind === "host" ? "Host" : "Cluster";
  return table(["Target", "Phase", "What it says", "Heard"], targets.map((row) => [
    [link(page(kind, row.target), row.target.split(".")[0]), row.host && row.host !== row.target ? h("span", { class: "sub" }, `by ${row.host.split(".")[0]}`) : null],
    [badge(row.phase), !row.current && row.host ? h("span", { class: "sub" }, "has not got the newest") : null], [said(row), applications(row.applications)],
    row.heard ? since(Date.parse(row.heard)) : muted("never")]), { caption: "Targets" });
}

function facts(one) {
  const { spec, metadata } = one;
  const set = Object.entries(spec.parameters ?? {});
  return h("aside", { class: "facts", "aria-label": "Facts" }, group("Deployment", [["Project", metadata.namespace], ["To", place(spec.targets)], ["Package", spec.package], ["Version", spec.version ?? "the newest"],
    ["Profile", spec.profile], ["Since", since(Date.parse(metadata.creationTimestamp))]]), group("Parameters", set.map(([key, value]) => [key, code(typeof value === "string" ? value : JSON.stringify(value))])),
  group("Overrides", (spec.overrides ?? []).map((o) => [o.names?.join(", ") || selectorText(o.selector ?? {}), code(JSON.stringify(o.parameters))])), group("Conditions", conditions(one)));
}

const set = (one, paused) => call("PATCH", path("deployments", one.metadata.uid), { spec: { paused } });

async function remove(one) {
  const yes = await ask({ title: `Delete ${one.metadata.name}`, label: "Delete", danger: true, typed: one.metadata.name, text: "Take it off all of its targets? What it keeps there goes too." });
  if (!yes) return;
  await call("DELETE", path("deployments", one.metadata.uid));
  go("/deployments");
  notice("good", `${fullName(one)} is deleted; its targets are cleaned.`);
}
