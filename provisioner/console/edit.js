// Any resource as text: checked by a dry run that says which hosts it touches, then saved. Errors stand at their field.

import { exchange, path } from "./api.js";
import { complain, go, instead, notice } from "./app.js";
import { ask } from "./confirm.js";
import { button, code, fill, h, link, muted } from "./dom.js";
import { locate, stopped } from "./fields.js";
import { ABOUT, template } from "./kinds.js";
import { fullName, kindOf, page, pageOf } from "./names.js";

export function showEdit(main, plural, key) {
  if (!ABOUT[plural]) return instead({ status: 404, message: "There is no such kind of resource.", next: "" });
  document.title = `${key} · Cairn`;
  const view = { plural, key, etag: null, checked: null, left: false };
  fill(main, h("p", { class: "muted" }, "Loading…"));
  exchange("GET", path(plural, key)).then(({ value, etag }) => {
    if (view.left) return;
    view.etag = etag;
    view.key = fullName(value);
    draw(main, view, said(value), value);
  }).catch((problem) => (view.left ? null : instead(problem)));
  return () => { view.left = true; };
}

export function showNew(main, plural) {
  if (!ABOUT[plural]?.spec) return instead({ status: 404, message: "Nothing of that kind is made here.", next: "" });
  document.title = `New ${ABOUT[plural].one} · Cairn`;
  const view = { plural, key: null, etag: null, checked: null, left: false };
  draw(main, view, template(plural, kindOf(plural), new URLSearchParams(location.search)), null);
  return () => { view.left = true; };
}

/** What a person says of it: without what only the server knows. */
function said({ apiVersion, kind, metadata, spec }) {
  const { name, namespace, labels, annotations } = metadata;
  const kept = Object.fromEntries(Object.entries(annotations ?? {}).filter(([key]) => key !== "cairn/last-applied"));
  return { apiVersion, kind, metadata: { name, namespace, labels: labels ?? {}, ...(Object.keys(kept).length ? { annotations: kept } : {}) }, spec };
}

function draw(main, view, object, current) {
  const about = ABOUT[view.plural];
  const text = JSON.stringify(object, null, 2);
  const area = h("textarea", { id: "text", spellcheck: "false", autocapitalize: "none", wrap: "off", "aria-label": "The resource as JSON",
    "aria-describedby": "found", rows: Math.min(40, text.split("\n").length + 4), readonly: about.where.length === 0 });
  area.value = text;
  const found = h("div", { id: "found", class: "found", role: "status" });
  const parts = { area, found };
  view.annotations = current?.metadata.annotations?.["cairn/last-applied"];
  area.addEventListener("input", () => { view.checked = null; });
  area.addEventListener("keydown", (event) => { if (event.key === "s" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); save(view, parts); } });
  const buttons = about.where.length === 0 ? null : h("div", { class: "actions" },
    button("Check", () => check(view, parts), { id: "check" }), button(view.key ? "Save" : "Make", () => save(view, parts), { class: "primary", id: "save" }),
    link(current ? backTo(view, current) : "/", "Cancel"), view.key ? button("Delete", () => remove(view, parts), { class: "danger end", id: "delete" }) : null);
  const title = view.key ? [object.metadata.name, h("span", { class: "kind" }, object.kind)] : `New ${about.one}`;
  fill(main, h("div", { class: "head" }, h("h1", null, title)), h("div", { class: "editor" },
    h("div", null, area, found, buttons),
    h("aside", { class: "facts" }, h("section", null, h("h2", null, "What it is"), h("p", null, about.about),
      h("dl", null, Object.entries(about.fields).map(([key, text]) => [h("dt", null, code(key)), h("dd", null, text)]))),
    current?.status ? h("details", null, h("summary", null, "Status"), h("pre", null, JSON.stringify(current.status, null, 2))) : null,
    current ? h("section", null, h("h2", null, "Kept by the server"), h("dl", null, ["uid", "resourceVersion", "generation", "creationTimestamp"]
      .map((key) => [h("dt", null, key), h("dd", null, code(String(current.metadata[key])))]))) : null)));
  if (!view.key) mark(area, text.indexOf('"name": ""') + 9);
}

const backTo = (view, object) => (page(object.kind, fullName(object)).startsWith("/edit") ? section(view.plural) : pageOf(object));
const section = (plural) => ({ policies: "/policies", claimrules: "/machines", firmwareprofiles: "/machines", osimages: "/images" })[plural] ?? `/access/${plural}`;

function mark(area, offset) {
  area.focus();
  area.setSelectionRange(offset, offset);
  const line = area.value.slice(0, offset).split("\n").length;
  area.scrollTop = Math.max(0, (line - 6) * (area.scrollHeight / area.value.split("\n").length));
}

/** The text as a value, or null when it was refused on the page. */
function read(view, parts) {
  try {
    const value = JSON.parse(parts.area.value);
    if (view.annotations && value?.metadata && typeof value.metadata === "object") {
      value.metadata.annotations = { ...value.metadata.annotations, "cairn/last-applied": view.annotations };
    }
    return value;
  } catch (error) {
    const at = stopped(parts.area.value, error.message);
    refuse(parts, [{ message: "This is not JSON.", next: error.message, at }]);
    return null;
  }
}

function refuse(parts, errors) {
  const { area, found } = parts;
  area.setAttribute("aria-invalid", "true");
  fill(found, h("ul", { class: "errors" }, errors.map(({ field, message, next, at }) => h("li", null,
    button(`Line ${at.line}`, () => mark(area, at.offset), { class: "link" }), field ? [" ", code(field)] : null, ": ", message, next ? h("span", { class: "sub" }, next) : null))));
  mark(area, errors[0].at.offset);
}

async function send(view, parts, dryRun) {
  const value = read(view, parts);
  if (value === null) return null;
  const query = dryRun ? "?dryRun=true" : "";
  const headers = view.etag ? { "If-Match": view.etag } : {};
  parts.area.removeAttribute("aria-invalid");
  try {
    const sent = view.key ? exchange("PUT", path(view.plural, view.key) + query, value, headers) : exchange("POST", path(view.plural) + query, value);
    return (await sent).value;
  } catch (problem) {
    tell(view, parts, problem);
    return null;
  }
}

function tell(view, parts, problem) {
  if (problem.status === 412) {
    return fill(parts.found, h("p", { class: "error" }, "Somebody changed it meanwhile. "),
      button("Read it again", () => location.reload()), " ", muted("Copy your text first if you want to keep it."));
  }
  if (problem.errors.length === 0) return complain(problem);
  refuse(parts, problem.errors.map((error) => ({ ...error, at: locate(parts.area.value, error.field) })));
}

async function check(view, parts) {
  const value = await send(view, parts, true);
  if (value === null) return null;
  view.checked = parts.area.value;
  fill(parts.found, h("p", { class: "good" }, "This can be saved."), touched(value.affected));
  return value;
}

/** Which hosts would feel it, and how. */
function touched(affected) {
  if (!affected) return null;
  if (affected.hosts === 0) return h("p", { class: "muted" }, "Nothing changes for any host.");
  const shown = (value) => (value === undefined ? "nothing" : typeof value === "string" ? value : JSON.stringify(value));
  const change = ({ path, before, after }) => h("li", null, code(path), ": ", h("del", null, shown(before)), " → ", h("ins", null, shown(after)));
  const rest = affected.hosts - affected.sample.length;
  return h("section", { class: "touched" }, h("h3", null, `This touches ${affected.hosts} ${affected.hosts === 1 ? "host" : "hosts"}`),
    h("ul", null, affected.sample.map(({ name, changes }) => h("li", null, link(page("Host", name), name), h("ul", null, changes.map(change))))),
    rest > 0 ? muted(`and ${rest} more`) : null);
}

async function save(view, parts) {
  const dry = await send(view, parts, true);
  if (dry === null) return;
  const count = dry.affected?.hosts ?? 0;
  if (count > 0 && view.checked !== parts.area.value) {
    fill(parts.found, touched(dry.affected));
    const yes = await ask({ title: `This touches ${count} ${count === 1 ? "host" : "hosts"}`, text: "Below the text you see what changes for them. Save it?", label: "Save" });
    if (!yes) { view.checked = parts.area.value; return; }
  }
  const value = await send(view, parts, false);
  if (value === null) return;
  go(backTo(view, value));
  notice("good", `${kindOf(view.plural)} ${fullName(value)} is saved.`);
}

async function remove(view, parts) {
  let dry;
  try { dry = await exchange("DELETE", `${path(view.plural, view.key)}?dryRun=true`, undefined, { "If-Match": view.etag }); } catch (problem) { return tell(view, parts, problem); }
  const count = dry.value.affected?.hosts ?? 0;
  fill(parts.found, touched(dry.value.affected));
  const text = count > 0 ? `This touches ${count} hosts. It cannot be undone.` : "It cannot be undone.";
  if (!await ask({ title: `Delete ${view.key}`, text, label: "Delete", danger: true, typed: view.key })) return;
  try {
    await exchange("DELETE", path(view.plural, view.key), undefined, { "If-Match": view.etag });
    const place = ["organisations", "projects", "regions", "sites", "hosts"].includes(view.plural);
    go(place ? "/" : section(view.plural));
    notice("good", `${view.key} is deleted.`);
  } catch (problem) { tell(view, parts, problem); }
}
