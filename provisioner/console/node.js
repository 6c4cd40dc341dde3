// What a place is: where it lies, what people say of it, and what can be made in it.

import { get, path } from "./api.js";
import { complain } from "./app.js";
import { applies } from "./applies.js";
import { fill, h, link, muted } from "./dom.js";
import { called, fullName, inside, KINDS, page, pageOf } from "./names.js";

/** What can be made in a place: kind and words. */
const MAKES = {
  Organisation: [["projects", "New project"], ["policies", "New policy"]],
  Project: [["hosts", "Register a host"], ["sites", "New site"], ["regions", "New region"], ["policies", "New policy"]],
  Region: [["sites", "New site"], ["regions", "New region"], ["policies", "New policy"]],
  Site: [["hosts", "Register a host"], ["policies", "New policy"]],
};

export function showNode(parent, node, line) {
  if (!node) {
    return fill(parent, h("div", { class: "head" }, h("h1", null, "Hosts"),
      h("div", { class: "actions" }, link("/new/organisations", "New organisation"), link("/make/hosts", "Register a host"))));
  }
  document.title = `${called(node)} · Cairn`;
  const key = fullName(node);
  const display = node.spec.displayName ? muted(` ${node.metadata.name}`) : null;
  const details = h("details", { class: "more", ontoggle: () => { if (details.open) load(node, body).catch(complain); } },
    h("summary", null, "Labels and settings, and where each is from"));
  const body = h("div", null, muted("Loading…"));
  details.append(body);
  fill(parent, crumbs(line), h("div", { class: "head" }, h("h1", null, called(node), display, h("span", { class: "kind" }, node.kind)),
    h("div", { class: "actions" }, (MAKES[node.kind] ?? []).map(([plural, text]) => link(make(plural, node), text)), link(`/edit/${KINDS[node.kind]}/${encodeURIComponent(key)}`, "Edit"))),
  node.spec.timezone ? h("p", { class: "muted" }, `Time zone ${node.spec.timezone}`) : null, details);
}

/** Where a form begins that makes something in a place. */
function make(plural, node) {
  const params = new URLSearchParams({ namespace: inside(node) });
  if (node.kind === "Region" && plural !== "policies") params.set(plural === "sites" ? "region" : "parent", node.metadata.name);
  if (node.kind === "Site" && plural === "hosts") params.set("site", node.metadata.name);
  if (["Region", "Site"].includes(node.kind) && plural === "policies") params.set("target", `${node.kind}/${node.metadata.name}`);
  return `/${plural === "hosts" ? "make" : "new"}/${plural}?${params}`;
}

async function load(node, body) {
  fill(body, applies(await get(`${path(KINDS[node.kind], fullName(node))}/effective`)));
}

/** The way down the tree to something. */
export function crumbs(line) {
  const steps = line.map((node, at) => [" / ", at === line.length - 1 ? called(node) : link(pageOf(node), called(node))]);
  return h("nav", { class: "crumbs", "aria-label": "Breadcrumb" }, link("/", "Everything"), steps);
}

export const linkTo = (source) => link(page(source.kind, source.name), `${source.kind} ${source.name}`);
