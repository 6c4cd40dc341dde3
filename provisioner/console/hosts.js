// First page: the tree beside what the chosen place is and the hosts in it.

import { get, path } from "./api.js";
import { complain, instead } from "./app.js";
import { labels } from "./applies.js";
import { button, empty, fill, h, link } from "./dom.js";
import { HINT, parse } from "./filter.js";
import { hostTable } from "./hosttable.js";
import { listing } from "./listing.js";
import { called, inside, NODES, pageOf } from "./names.js";
import { showNode } from "./node.js";
import { teach } from "./teach.js";
import { lineage, tree } from "./tree.js";
import { badge, stateOf, STATES } from "./words.js";

export function showHosts(main, plural, key) {
  document.title = "Hosts · Cairn";
  if (plural && !NODES.includes(plural)) return instead({ status: 404, message: "There is no such place.", next: "" });
  const asked = new URLSearchParams(location.search);
  const view = { node: null, text: asked.get("q") ?? "", phase: asked.get("phase"), counts: null, left: false, tabled: null };
  const parts = layout(view);
  fill(main, h("div", { class: "split" }, h("details", { class: "side", open: matchMedia("(min-width: 900px)").matches },
    h("summary", null, "Places"), parts.tree), h("div", { class: "center" }, parts.node, parts.bar, parts.counts, parts.list)));
  load(view, parts, plural, key).catch((problem) => (problem.status === 404 ? instead(problem) : complain(problem)));
  const slash = (event) => {
    if (event.key !== "/" || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    event.preventDefault();
    parts.filter.focus();
  };
  addEventListener("keydown", slash);
  return () => { view.left = true; view.tabled?.leave(); removeEventListener("keydown", slash); };
}

function layout(view) {
  const filter = h("input", { id: "filter", type: "search", placeholder: HINT, "aria-label": "Filter hosts by labels or name", value: view.text,
    title: "Labels: env=prod, tier in (web,db), !spare. Or name, serial:, uuid:, site:, image:, has:LABEL", spellcheck: "false", autocapitalize: "none" });
  const error = h("p", { class: "error", role: "alert" });
  const form = h("form", { class: "filter", role: "search" }, filter, h("button", { type: "submit" }, "Filter"));
  return { filter, error, form, tree: h("div", { class: "treebox" }), node: h("div", { class: "nodehead" }), bar: h("div", null, form, error),
    counts: h("div", { class: "counts", role: "group", "aria-label": "Show one state" }), list: h("div", { class: "list" }, h("p", { class: "muted" }, "Loading…")) };
}

async function load(view, parts, plural, key) {
  view.node = plural ? await get(path(plural, key)) : null;
  if (view.left) return;
  const line = view.node ? await lineage(view.node) : [];
  if (view.left) return;
  tree(parts.tree, line);
  showNode(parts.node, view.node, line);
  if (view.node?.kind === "Region") {
    parts.bar.hidden = true;
    view.tabled = { leave: listing(parts.list, sites(view.node)) };
    return;
  }
  if (!view.node) get("/api/v1/status").then((status) => { view.counts = status.counts; counts(view, parts); }).catch(complain);
  view.tabled = hostTable(parts.list, { filter: () => filter(view), empty: () => none(view, parts), onFirst: (hosts, more) => {
    if (view.node && !view.phase && !view.text) view.counts = more ? null : tally(hosts);
    counts(view, parts);
  } });
  const start = () => {
    remember(view);
    parts.error.textContent = "";
    counts(view, parts);
    return view.tabled.start().catch((problem) => {
      if (problem.status !== 422) return complain(problem);
      parts.error.textContent = `${problem.message} ${problem.next}`;
    });
  };
  view.start = start;
  parts.form.addEventListener("submit", (event) => { event.preventDefault(); view.text = parts.filter.value.trim(); start(); });
  // The cross of a search box empties it.
  parts.filter.addEventListener("search", () => { if (parts.filter.value === "" && view.text !== "") { view.text = ""; start(); } });
  await start();
}

/** Hosts are listed at sites, projects and organisations; of a region its own sites. */
function sites(region) {
  const { name, namespace } = region.metadata;
  return { kind: "Site", params: { namespace, fieldSelector: `spec.region=${name}` }, head: ["Site", "Time zone", "Labels"],
    row: (site) => [[link(pageOf(site), called(site)), site.spec.displayName ? h("span", { class: "sub" }, site.metadata.name) : null], site.spec.timezone ?? "UTC", labels(site.metadata.labels)],
    empty: empty("No site directly in this region", "Hosts lie in sites. Regions below it are in the tree.", link(`/new/sites?namespace=${namespace}&region=${name}`, "New site")) };
}

function filter(view) {
  const { labelSelector, fieldSelector } = parse(view.text, view.phase);
  const site = view.node?.kind === "Site" ? `spec.site=${view.node.metadata.name}` : "";
  return { namespace: view.node ? inside(view.node) : "", labelSelector, fieldSelector: [site, fieldSelector].filter(Boolean).join(",") };
}

/** So that Back and a shared address show the same. */
function remember(view) {
  const params = new URLSearchParams();
  if (view.text) params.set("q", view.text);
  if (view.phase) params.set("phase", view.phase);
  const search = params.toString() ? `?${params}` : "";
  if (search !== location.search) history.replaceState(null, "", location.pathname + search);
}

function tally(hosts) {
  const found = new Map();
  for (const { status } of hosts) found.set(status.phase, (found.get(status.phase) ?? 0) + 1);
  return [...found].map(([state, hosts]) => ({ state, hosts }));
}

/** Buttons for the phases: with numbers where they are known. */
function counts(view, parts) {
  if (view.left) return;
  const known = new Map((view.counts ?? []).map((count) => [count.state, count.hosts]));
  const total = [...known.values()].reduce((sum, n) => sum + n, 0);
  parts.bar.hidden = view.counts !== null && total === 0 && !view.text && !view.phase;
  fill(parts.counts, Object.keys(STATES).map((word) => {
    const pressed = view.phase === word;
    if (view.counts && !known.has(word) && !pressed) return null;
    const toggle = () => { view.phase = pressed ? null : word; view.start?.(); };
    return button("", toggle, { id: `count-${word.replace(" ", "-")}`, class: `count ${stateOf(word).tone}`, "aria-pressed": String(pressed) });
  }));
  for (const chip of parts.counts.children) {
    const word = chip.id.slice(6).replace("-", " ");
    chip.append(...(known.has(word) ? [h("b", null, String(known.get(word)))] : []), badge(word));
  }
}

function none(view, parts) {
  if (!view.text && !view.phase) return teach(view.node);
  const clear = () => { view.text = ""; view.phase = null; parts.filter.value = ""; view.start(); parts.filter.focus(); };
  return h("p", { class: "muted" }, "No host here matches the filter. ", button("Show all", clear, { class: "link" }));
}
