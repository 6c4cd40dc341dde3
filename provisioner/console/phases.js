// How long the host spent in each state since it last started from the beginning, as a bar.

import { h } from "./dom.js";
import { duration, stateOf } from "./words.js";

const FROM = new Set(["registered", "pending"]);
const REST = new Set(["running", "silent", "quarantined", "failed", "retiring", "retired"]);

/** Stretches of the newest run: same rule as cairn_domain::timeline::phases. */
export function phases(entries) {
  const out = [];
  for (const { state, at } of entries) {
    if (!state) continue;
    const last = out.at(-1);
    if (last?.state === state) continue;
    if (last) last.millis = at - last.from;
    out.push({ state, from: at, millis: null });
  }
  const start = out.findLastIndex((p) => FROM.has(p.state));
  return out.slice(start + 1);
}

export function phaseBar(entries) {
  const run = phases(entries);
  if (run.length === 0) return [];
  const now = Date.now();
  const timed = run.filter((p) => !REST.has(p.state)).map((p) => ({ ...p, open: p.millis === null, millis: p.millis ?? now - p.from }));
  const total = timed.reduce((sum, p) => sum + p.millis, 0);
  if (timed.length === 0) return [];
  const width = (p) => String(Math.max(p.millis / Math.max(total, 1), 0.03));
  return [
    h("h2", null, "Phases", h("span", { class: "muted" }, ` ${duration(total)} in all`)),
    h("div", { class: "phasebar", "aria-hidden": "true" }, timed.map((p, i) =>
      h("span", { class: `phase p${i % 5} ${p.open ? "open" : ""}`, style: { "flex-grow": width(p) }, title: `${p.state}: ${duration(p.millis)}` }))),
    h("ul", { class: "phasekey" }, timed.map((p, i) => h("li", null, h("span", { class: `swatch p${i % 5}` }),
      p.state, " ", h("b", null, duration(p.millis)), p.open ? " so far" : ""))),
    run.at(-1).state === "running" ? null : h("p", { class: "sr" }, `Now: ${stateOf(run.at(-1).state).hint}`),
  ].filter(Boolean);
}
