// One host: where it is and why, what to try, what applies to it, what it is made of, and its whole timeline, live.

import { all, get, path, watch } from "./api.js";
import { applies, editLink } from "./applies.js";
import { complain, go, instead, notice, setLive } from "./app.js";
import { button, fill, h, muted } from "./dom.js";
import { facts } from "./facts.js";
import { fullName } from "./names.js";
import { crumbs } from "./node.js";
import { orders } from "./orders.js";
import { phaseBar } from "./phases.js";
import { entries } from "./timeline.js";
import { lineage } from "./tree.js";
import { runs } from "./workloads.js";
import { badge, since, stateOf } from "./words.js";

const MOST = 5000;

export function showHost(main, key) {
  document.title = `${key.split(".")[0]} · Cairn`;
  const view = { key, host: null, entries: [], stop: () => {}, timer: 0, applied: null };
  const parts = {
    crumbs: h("div", null, h("p", { class: "crumbs" }, key)),
    head: h("div", { class: "hosthead" }, muted("Loading…")),
    runs: h("section", { class: "runs" }),
    phases: h("section", { class: "phases" }),
    timeline: h("section", { class: "timeline", "aria-label": "Timeline" }),
    facts: h("aside", { class: "facts", "aria-label": "Facts" }),
    applied: h("div", null, muted("Loading…")),
  };
  const details = h("details", { class: "more", ontoggle: () => { view.shown = details.open; refresh(view, parts); } },
    h("summary", null, "What applies to it, and where each value is from"), parts.applied);
  fill(main, parts.crumbs, parts.head, parts.runs, details, parts.phases, h("div", { class: "columns" }, parts.timeline, parts.facts));
  load(view, parts).catch((problem) => (view.left ? null : [404, 403, 401].includes(problem.status) ? instead(problem) : complain(problem)));
  const clock = setInterval(() => { if (view.host) fill(parts.phases, phaseBar(view.entries)); }, 1000);
  return () => { view.left = true; view.stop(); clearInterval(clock); clearTimeout(view.timer); clearTimeout(view.again); };
}

async function load(view, parts) {
  view.host = await get(path("hosts", view.key));
  // By its id from here on: names change, and move with their host.
  const own = path("hosts", view.host.metadata.uid);
  view.entries = await all(`${own}/timeline`, MOST);
  if (view.left) return;
  draw(view, parts);
  place(view, parts);
  work(view, parts);
  const last = view.entries.at(-1)?.seq ?? 0;
  view.stop = watch(`${own}/watch?after=${last}`, {
    entry: (entry) => {
      if (entry.seq > (view.entries.at(-1)?.seq ?? 0)) view.entries.push(entry);
      later(view, parts);
    },
    host: (host) => {
      const moved = host.metadata.resourceVersion !== view.host.metadata.resourceVersion;
      view.host = host;
      later(view, parts);
      if (moved) { refresh(view, parts); place(view, parts); }
    },
    gone: () => { go("/"); notice("warn", `${view.key} is gone, or you may not see it any more.`); },
    lost: () => load(view, parts).catch(complain),
  }, setLive);
}

/** What it runs: changed by others than the host's record, so it is asked for now and then. */
function work(view, parts) {
  if (view.left) return;
  clearTimeout(view.again);
  all(`${path("hosts", view.host.metadata.uid)}/workloads`).then((rows) => { if (!view.left) fill(parts.runs, runs(rows)); }).catch(() => {})
    .finally(() => { if (!view.left) view.again = setTimeout(() => work(view, parts), 10000); });
}

/** Where it lies; read again only when that changed. */
function place(view, parts) {
  const { metadata, spec } = view.host;
  const now = `${metadata.name} ${metadata.namespace} ${spec.site}`;
  if (view.place === now) return;
  view.place = now;
  lineage(view.host).then((line) => { if (!view.left) fill(parts.crumbs, crumbs(line)); }).catch(complain);
}

function refresh(view, parts) {
  if (!view.shown || !view.host) return;
  get(`${path("hosts", view.host.metadata.uid)}/effective`).then((found) => { if (!view.left) fill(parts.applied, applies(found)); }).catch(complain);
}

function later(view, parts) {
  view.timer ||= setTimeout(() => { view.timer = 0; draw(view, parts); }, 150);
}

function draw(view, parts) {
  if (view.left) return;
  fill(parts.head, header(view, parts));
  fill(parts.phases, phaseBar(view.entries));
  fill(parts.timeline, entries(view.entries));
  fill(parts.facts, facts(view.host));
}

/** A button that was pressed shows it until the server has answered, and is not pressed twice. */
function busy(run) {
  return async (event) => {
    const pressed = event.currentTarget;
    if (pressed.getAttribute("aria-busy")) return;
    pressed.setAttribute("aria-busy", "true");
    try { await run(); } finally { pressed.removeAttribute("aria-busy"); }
  };
}

function header(view, parts) {
  const { host } = view;
  const { status } = host;
  const { tone, hint } = stateOf(status.phase);
  const reason = status.why
    ? h("div", { class: `reason ${tone}` },
      h("p", null, h("strong", null, "Why: "), status.why + "."),
      status.next ? h("p", null, h("strong", null, "Try: "), status.next) : null)
    : h("p", { class: "muted" }, hint ? `It ${hint}.` : "");
  const changed = (next) => {
    if (view.left || !next) return;
    view.host = next;
    draw(view, parts);
    refresh(view, parts);
    place(view, parts);
  };
  return [
    h("div", { class: "title" }, h("h1", null, host.metadata.name), badge(status.phase),
      muted(status.attempt ? `attempt ${status.attempt}, ` : "", since(Date.parse(status.since)))),
    reason,
    h("div", { class: "actions" }, orders(host, changed).map(({ id, label, tone, run }) => button(label, busy(run), { id: `do-${id}`, class: tone })),
      editLink("hosts", fullName(host), "Edit as text")),
  ];
}
