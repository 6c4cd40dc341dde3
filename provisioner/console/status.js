// The appliance at a glance: warnings, counts, and its own timeline.

import { all, get } from "./api.js";
import { complain, instead } from "./app.js";
import { fill, h, link } from "./dom.js";
import { entries } from "./timeline.js";
import { badge, duration } from "./words.js";

const LINES = 200;

export function showStatus(main) {
  document.title = "Status · Cairn";
  const view = { left: false, lines: [], refused: false };
  const parts = { top: h("div"), timeline: h("section", { class: "timeline" }, h("p", { class: "muted" }, "Loading…")) };
  fill(main, h("div", { class: "head" }, h("h1", null, "Status")), parts.top, parts.timeline);
  const read = async () => {
    const status = await get("/api/v1/status");
    if (view.left) return;
    if (view.refused) return fill(parts.top, top(status, view));
    const after = view.lines.at(-1)?.seq ?? Math.max(0, status.seq - 20000);
    const lines = await all("/api/v1/timeline", 5000, after).catch((problem) => { if (problem.status === 403) return null; throw problem; });
    if (view.left) return;
    view.refused = lines === null;
    fill(parts.top, top(status, view));
    if (view.refused) return fill(parts.timeline);
    view.lines = [...view.lines, ...lines].slice(-LINES);
    fill(parts.timeline, entries(view.lines, "Nothing happened to the appliance itself yet."));
  };
  read().catch(instead);
  const timer = setInterval(() => read().catch(complain), 10000);
  return () => { view.left = true; clearInterval(timer); };
}

function top(status, { refused }) {
  const fact = (term, ...text) => [h("dt", null, term), h("dd", null, text)];
  return [
    status.warnings.length ? status.warnings.map((w) => h("div", { class: "notice warn" }, h("div", null, h("strong", null, w.text), w.next ? h("div", null, w.next) : null)))
      : refused ? h("p", { class: "muted" }, "Warnings and the timeline of the appliance are for those with a role of the appliance.") : h("p", { class: "good" }, "No warnings."),
    h("div", { class: "facts row" }, h("section", null, h("h2", null, "Appliance"), h("dl", null,
      fact("Version", status.version), fact("Up for", duration(status.uptime_s * 1000)), fact("Hosts", String(status.hosts)),
      fact("Unknown", link("/machines", `${status.machines} ${status.machines === 1 ? "machine" : "machines"}`)))),
    h("section", null, h("h2", null, "Hosts by state"), h("dl", { class: "states" }, status.counts.map(({ state, hosts }) =>
      fact(h("a", { href: `/?phase=${encodeURIComponent(state)}` }, badge(state)), String(hosts)))))),
  ];
}
