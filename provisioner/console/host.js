// One host: where it is and why, what to try, what it is made of, and its whole timeline, live.

import { all, call, get, watch } from "./api.js";
import { complain, go, setLive } from "./app.js";
import { ask } from "./confirm.js";
import { fill, h } from "./dom.js";
import { facts } from "./facts.js";
import { phaseBar } from "./phases.js";
import { entries } from "./timeline.js";
import { badge, since, stateOf } from "./words.js";

export function showHost(main, name) {
  document.title = `${name} · Cairn`;
  const view = { name, host: null, entries: [], stop: () => {}, timer: 0 };
  const parts = {
    head: h("div", { class: "hosthead" }, h("p", { class: "muted" }, "Loading…")),
    phases: h("section", { class: "phases" }),
    timeline: h("section", { class: "timeline", "aria-label": "Timeline" }),
    facts: h("aside", { class: "facts", "aria-label": "Facts" }),
  };
  fill(main, h("nav", { class: "crumbs", "aria-label": "Breadcrumb" }, h("a", { href: "/" }, "Hosts"), " / ", name),
    parts.head, parts.phases, h("div", { class: "columns" }, parts.timeline, parts.facts));
  load(view, parts).catch((problem) => {
    if (problem.status !== 404) return complain(problem);
    fill(main, h("section", { class: "empty" }, h("h1", null, problem.message), h("p", null, problem.next), h("a", { href: "/" }, "All hosts")));
  });
  const clock = setInterval(() => { if (view.host) fill(parts.phases, phaseBar(view.entries)); }, 1000);
  return () => { view.left = true; view.stop(); clearInterval(clock); clearTimeout(view.timer); };
}

async function load(view, parts) {
  const path = `/api/v1/hosts/${encodeURIComponent(view.name)}`;
  [view.host, view.entries] = await Promise.all([get(path), all(`${path}/timeline`)]);
  if (view.left) return;
  draw(view, parts);
  const last = view.entries.at(-1)?.seq ?? 0;
  view.stop = watch(`/api/v1/hosts/${view.host.id}/watch?after=${last}`, {
    entry: (entry) => {
      if (entry.seq > (view.entries.at(-1)?.seq ?? 0)) view.entries.push(entry);
      later(view, parts);
    },
    host: (host) => { view.host = host; later(view, parts); },
    gone: () => go("/"),
  }, setLive);
}

function later(view, parts) {
  view.timer ||= setTimeout(() => { view.timer = 0; draw(view, parts); }, 150);
}

function draw(view, parts) {
  if (view.left) return;
  const { host } = view;
  fill(parts.head, header(view, parts));
  fill(parts.phases, phaseBar(view.entries));
  fill(parts.timeline, entries(view.entries));
  fill(parts.facts, facts(host));
}

function header(view, parts) {
  const { host } = view;
  const { tone, hint } = stateOf(host.state);
  const reason = host.why
    ? h("div", { class: `reason ${tone}` },
      h("p", null, h("strong", null, "Why: "), host.why + "."),
      host.next ? h("p", null, h("strong", null, "Try: "), host.next) : null)
    : h("p", { class: "muted" }, hint ? `It ${hint}.` : "");
  return [
    h("div", { class: "title" }, h("h1", null, host.name), badge(host.state),
      h("span", { class: "muted" }, host.attempt ? `attempt ${host.attempt}, ` : "", since(host.since))),
    reason,
    h("div", { class: "actions" }, actions(view, parts)),
  ];
}

const ACTIONS = {
  accept: { label: "Accept", ask: "Accept this machine as a host of the site? It is installed at its next network boot." },
  retry: { label: "Retry", ask: "Let it try again from the start? It goes on at its next network boot." },
  reinstall: { label: "Reinstall", typed: true, danger: true,
    ask: "Install it again at its next network boot? Everything on its disk is erased." },
  remove: { label: "Remove", typed: true, danger: true,
    ask: "Remove the record of this host? Its certificate is void at once; its disk is not touched." },
};

function actions(view, parts) {
  return view.host.actions.filter((name) => ACTIONS[name]).map((name) => {
    const action = ACTIONS[name];
    const primary = name === "accept" || name === "retry";
    return h("button", { id: `do-${name}`, type: "button", class: primary ? "primary" : action.danger ? "danger" : "",
      onclick: () => act(view, parts, name, action) }, action.label);
  });
}

async function act(view, parts, name, action) {
  const { host } = view;
  const yes = await ask({ title: `${action.label} ${host.name}`, text: action.ask, label: action.label, danger: action.danger,
    typed: action.typed ? host.name : null });
  if (!yes) return;
  try {
    if (name === "remove") {
      await call("DELETE", `/api/v1/hosts/${host.id}`);
      return go("/");
    }
    view.host = await call("POST", `/api/v1/hosts/${host.id}/${name}`);
    draw(view, parts);
  } catch (problem) { complain(problem); }
}
