// The tree of organisations, projects, regions and sites: read as it is unfolded, a page at a time.

import { list, several } from "./api.js";
import { complain } from "./app.js";
import { button, fill, h, icon, muted } from "./dom.js";
import { called, fullName, inside, KINDS, pageOf } from "./names.js";

const ICONS = {
  Organisation: "M3 13.5v-11h6v11M9 6.5h4v7M1.5 13.5h13M5 5.5h2M5 8.5h2M5 11h2",
  Project: "M2 4h4.5l1.5 1.5h6v7H2z", Region: "M8 14s-4.5-4.3-4.5-7.5a4.5 4.5 0 0 1 9 0C12.5 9.7 8 14 8 14zM8 5v3",
  Site: "M2.5 7L8 2.5 13.5 7v6.5h-11zM6.5 13.5V10h3v3.5",
};
const FOLD = "M6 4l4 4-4 4";
const PAGE = 100;
/** Unfolded nodes stay so while the console is open. */
const open = new Set();

/**
 * The tree into `parent`. `here` is the path from the organisation to the chosen node, which is unfolded.
 */
export function tree(parent, here) {
  for (const node of here) open.add(node.metadata.uid);
  const chosen = here.at(-1)?.metadata.uid ?? "";
  const top = h("ul", { class: "tree", role: "tree", "aria-label": "Places", onkeydown: keys });
  fill(parent, h("h2", { class: "sr" }, "Places"),
    h("a", { href: "/", class: "place all", "aria-current": chosen ? null : "true" }, "Everything"), top);
  level(top, { plural: "organisations", params: {} }, { chosen, depth: 1 }).then(() => {
    // One item is always in the order of the Tab key; the arrows move from there.
    if (!chosen) top.querySelector("[role=treeitem]")?.setAttribute("tabindex", "0");
  }).catch(complain);
}

/** What lies directly in a node: lists of one kind each, in order. */
function below(node) {
  const namespace = inside(node);
  if (node.kind === "Organisation") return [{ plural: "projects", params: { namespace } }];
  const parent = node.kind === "Project" ? "" : node.metadata.name;
  return node.kind === "Site" ? [] : [
    { plural: "regions", params: { namespace, fieldSelector: `spec.parent=${parent}` } },
    { plural: "sites", params: { namespace, fieldSelector: `spec.region=${parent}` } },
  ];
}

/** One page of a level at the end of `ul`; what comes after it on a click. */
async function level(ul, what, at, next) {
  const page = await list(what.plural, { ...what.params, limit: PAGE, continue: next });
  const items = page.items.map((node) => branch(node, at));
  const more = page.next ? h("li", { role: "none" }, button("More…", (event) => {
    event.target.parentNode.remove();
    level(ul, what, at, page.next).catch(complain);
  }, { class: "link" })) : null;
  ul.append(...items, ...(more ? [more] : []));
  return items.length;
}

function branch(node, at) {
  const uid = node.metadata.uid;
  const kids = h("ul", { role: "group", hidden: true });
  const leaf = node.kind === "Site";
  const label = h("a", { href: pageOf(node), class: "place", title: `${node.kind} ${fullName(node)}`, tabindex: "-1",
    "aria-current": at.chosen === uid ? "true" : null }, icon(ICONS[node.kind]), h("span", null, called(node)));
  const fold = leaf ? h("span", { class: "fold" }) : button("", () => toggle(), { class: "fold", tabindex: "-1", "aria-hidden": "true" });
  if (!leaf) fold.append(icon(FOLD));
  const item = h("li", { role: "treeitem", tabindex: at.chosen === uid ? "0" : "-1", "aria-expanded": leaf ? null : "false",
    "aria-level": at.depth, "aria-label": `${node.kind} ${called(node)}` }, h("div", { class: "node" }, fold, label), leaf ? null : kids);
  let read = false;
  const toggle = async (to = kids.hidden) => {
    if (leaf) return;
    kids.hidden = !to;
    item.setAttribute("aria-expanded", String(to));
    if (to) open.add(uid); else open.delete(uid);
    if (!to || read) return;
    read = true;
    try {
      let found = 0;
      for (const what of below(node)) found += await level(kids, what, { ...at, depth: at.depth + 1 });
      if (found === 0) kids.append(h("li", { role: "none" }, muted("nothing in it yet")));
    } catch (problem) {
      read = false;
      complain(problem);
    }
  };
  item.unfold = toggle;
  if (open.has(uid)) toggle(true);
  return item;
}

/** Arrow keys as in any tree (WAI-ARIA Authoring Practices). */
function keys(event) {
  const item = event.target.closest("[role=treeitem]");
  if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
  const items = [...event.currentTarget.querySelectorAll("[role=treeitem]")].filter((i) => i.offsetParent);
  const at = items.indexOf(item);
  const expanded = item.getAttribute("aria-expanded");
  const to = {
    ArrowDown: () => items[at + 1], ArrowUp: () => items[at - 1], Home: () => items[0], End: () => items.at(-1),
    ArrowRight: () => (expanded === "false" ? item.unfold(true) && item : expanded === "true" ? items[at + 1] : item),
    ArrowLeft: () => (expanded === "true" ? item.unfold(false) && item : item.parentNode.closest("[role=treeitem]")),
    Enter: () => { item.querySelector("a.place").click(); return item; },
  }[event.key]?.();
  if (to === undefined && !["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight"].includes(event.key)) return;
  event.preventDefault();
  if (!to || to === item) return;
  item.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}

/** From the organisation down to this node; ends at what may not be seen. */
export async function lineage(node) {
  const line = [node];
  const [name, organisation] = node.metadata.namespace.split(".");
  const find = async (kind, name, namespace) => {
    const { items } = await several(KINDS[kind], { namespace, fieldSelector: `metadata.name=${name}`, limit: 1 }, 1);
    if (items[0]) line.unshift(items[0]);
    return items[0];
  };
  let at = node;
  while (at && ["Region", "Site", "Host"].includes(at.kind) && line.length < 64) {
    const [kind, above] = at.kind === "Host" ? ["Site", at.spec.site] : ["Region", at.kind === "Site" ? at.spec.region : at.spec.parent];
    if (!above) break;
    at = await find(kind, above, node.metadata.namespace);
  }
  if (organisation) await find("Project", name, organisation);
  if (node.kind !== "Organisation") await find("Organisation", organisation ?? name, "");
  return line;
}
