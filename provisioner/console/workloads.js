// How far clusters and deployments are, in the words of their status, and what stands in their lists and pages alike.

import { h, link, muted, table } from "./dom.js";
import { page } from "./names.js";
import { badge, since } from "./words.js";

const condition = (object, type) => (object.status?.conditions ?? []).find((one) => one.type === type);
const holds = (object, type, status = "True") => { const found = condition(object, type); return found?.status === status ? found : null; };

/** One word; null while nobody has looked at it. The same as `cairn get` says. */
export function phaseOf(object) {
  if (object.kind === "Deployment" && object.spec.paused) return "Paused";
  if (!object.status) return null;
  if (holds(object, "Ready")) return "Ready";
  return object.kind === "Cluster" ? ofCluster(object) : ofDeployment(object);
}

function ofCluster({ status, ...cluster }) {
  const nodes = status.nodes ?? [];
  const any = (...words) => nodes.some(({ phase }) => words.includes(phase));
  const lost = condition({ status, ...cluster }, "ControlPlaneReady")?.reason === "ControlPlaneLost";
  if (lost || nodes.some(({ role, phase }) => role === "controlPlane" && phase === "Failed")) return "Failed";
  return any("Failed", "Degraded") ? "Degraded" : any("Progressing", "Ready") ? "Progressing" : "Waiting";
}

function ofDeployment(deployment) {
  const { failed = 0, total = 0, progressing = 0 } = deployment.status.targets ?? {};
  if (holds(deployment, "RolloutStopped") || (failed > 0 && failed === total)) return "Failed";
  return failed > 0 ? "Degraded" : progressing > 0 ? "Progressing" : "Waiting";
}

/** Ready of all; null while nobody counted. */
export function share(object) {
  if (object.kind === "Cluster") {
    const nodes = object.status?.nodes;
    return nodes ? { ready: nodes.filter(({ phase }) => phase === "Ready").length, total: nodes.length } : null;
  }
  const targets = object.status?.targets;
  return targets ? { ready: targets.ready, total: targets.total } : null;
}

export const shareText = (object) => { const found = share(object); return found ? `${found.ready} of ${found.total}` : muted("not looked at yet"); };

export const phaseBadge = (object) => { const phase = phaseOf(object); return phase ? badge(phase) : muted("new"); };

/** Conditions that tell of trouble, the gravest first. */
export function troubles(object) {
  const ready = condition(object, "Ready");
  return [holds(object, "RolloutStopped"), ready && ready.status !== "True" ? ready : null, holds(object, "Conflict"), holds(object, "LeavingLate"),
    holds(object, "AddonsReady", "False")].filter(Boolean);
}

export function why(object) {
  const first = troubles(object)[0];
  return first ? first.message || first.reason : "";
}

/** The box under a title: what is wrong, or nothing. */
export function reasons(object) {
  const all = troubles(object);
  const tone = { Failed: "bad", Degraded: "warn", Paused: "ask" }[phaseOf(object)] ?? "busy";
  return all.length ? h("div", { class: `reason ${tone}` }, all.map((one) => h("p", null, h("strong", null, `${words(one.reason)}: `), one.message))) : null;
}

/** `HostNotRunning` as people write it. */
export const words = (reason) => { const text = String(reason ?? "").replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase(); return text.charAt(0).toUpperCase() + text.slice(1); };

/** How many targets are how far, as one bar; each part also in words. */
export function bar(counts) {
  const parts = [["good", "ready", counts.ready], ["busy", "under way", counts.progressing], ["idle", "waiting", counts.waiting], ["bad", "failed", counts.failed]];
  const given = parts.filter(([, , n]) => n > 0);
  if (!counts.total) return h("p", { class: "muted" }, "No target yet.");
  const text = given.map(([, word, n]) => `${n} ${word}`).join(", ");
  return h("div", { class: "progress" },
    h("div", { class: "bars", role: "img", "aria-label": `Of ${counts.total} targets: ${text}` }, given.map(([tone, , n]) => h("span", { class: tone, style: { "flex-grow": String(n) } }))),
    h("p", { class: "legend" }, given.map(([tone, word, n]) => h("span", { class: `key ${tone}` }, `${n} ${word}`)), muted(`of ${counts.total}`)));
}

/** A line of what a host or cluster says: reason and words. */
export const said = ({ reason, message }) => [reason && reason !== "Ready" ? h("span", { class: "line" }, words(reason)) : null, message ? h("span", { class: "sub" }, message) : null];

/** Applications with their workloads. */
export function parts(applications) {
  if (!applications?.length) return null;
  return h("ul", { class: "parts" }, applications.map((one) => h("li", null, badge(one.phase), " ", h("strong", null, one.name), one.message ? muted(` ${one.message}`) : null,
    one.workloads?.length ? h("ul", null, one.workloads.map((row) => h("li", null, badge(row.phase), ` ${row.kind} ${row.name}`,
      row.message ? muted(` ${row.message}`) : null, row.restarts ? muted(`, ${row.restarts} restarts`) : null))) : null)));
}

/** What a host was told to run, on its own page. */
export function runs(rows) {
  if (rows.length === 0) return null;
  return [h("h2", null, "Runs"), table(["What", "Phase", "Why", "Heard"], rows.map((row) => [
    [link(page(row.kind, row.name), row.name), h("span", { class: "sub" }, row.kind === "Cluster" ? "part of this cluster" : "deployment")],
    badge(row.phase), [said(row), parts(row.applications)], row.heard ? since(Date.parse(row.heard)) : muted("never")]), { caption: "What it runs" })];
}

export function conditions(object) {
  const mark = { True: ["good", "yes"], False: ["idle", "no"], Unknown: ["warn", "unknown"] };
  const bad = new Set(["Conflict", "RolloutStopped", "LeavingLate"]);
  return (object.status?.conditions ?? []).map((one) => {
    const [tone, word] = mark[one.status] ?? mark.Unknown;
    const shown = bad.has(one.type) ? { good: "bad", idle: "idle", warn: "warn" }[tone] : tone;
    return [words(one.type), [h("span", { class: `badge ${shown}` }, word), " ", one.message, one.lastTransitionTime ? [", ", since(Date.parse(one.lastTransitionTime))] : null]];
  });
}

/** A selector as the command line writes it. */
export function selectorText(selector) {
  if (typeof selector === "string") return selector;
  const labels = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const operators = { In: "in", NotIn: "notin" };
  const rules = (selector.matchExpressions ?? []).map(({ key, operator, values }) => (
    operators[operator] ? `${key} ${operators[operator]} (${(values ?? []).join(",")})` : operator === "Exists" ? key : `!${key}`));
  return [...labels, ...rules].join(",") || "any labels";
}

/** `role=till, tier=prod` as `matchLabels`. */
export const matchLabels = (text) => ({ matchLabels: Object.fromEntries(text.split(",").map((one) => one.trim()).filter(Boolean).map((one) => {
  const at = one.indexOf("=");
  return at < 0 ? [one, ""] : [one.slice(0, at).trim(), one.slice(at + 1).trim()];
})) });
