// The audit log: who did what, from where. Oldest first, a page at a time; and whether its chain holds.

import { get, query } from "./api.js";
import { complain, instead } from "./app.js";
import { button, code, fill, h, link, muted, table } from "./dom.js";
import { KINDS, page } from "./names.js";
import { clock, day } from "./words.js";

const PAGE = 100;

export function showAudit(main) {
  document.title = "Audit · Cairn";
  const view = { left: false, before: [] };
  const input = (name, label, props) => h("label", null, h("span", null, label), h("input", { name, autocomplete: "off", spellcheck: "false", autocapitalize: "none", ...props }));
  const kinds = h("select", { name: "kind" }, h("option", { value: "" }, "any"), Object.keys(KINDS).map((kind) => h("option", { value: kind }, kind)));
  const asked = new URLSearchParams(location.search);
  const form = h("form", { class: "filters" }, input("actor", "Who", { value: asked.get("actor") }), input("verb", "Did", { placeholder: "create, login …", value: asked.get("verb") }), h("label", null, h("span", null, "To"), kinds),
    input("namespace", "In", { placeholder: "retail.acme", value: asked.get("namespace") }), input("since", "From day", { type: "date", value: asked.get("since") ?? yesterday() }), h("button", { type: "submit" }, "Filter"));
  const parts = { verdict: h("div", { role: "status" }), list: h("div", null, h("p", { class: "muted" }, "Loading…")) };
  const read = async (after, before) => {
    const values = Object.fromEntries(new FormData(form));
    if (values.since) values.since = `${values.since}T00:00:00Z`;
    const found = await get(`/api/v1/audit${query({ ...values, after, limit: PAGE })}`);
    if (view.left) return;
    Object.assign(view, { here: after, before });
    draw(found);
  };
  const draw = ({ items, next }) => {
    const turn = (after, before) => read(after, before).catch(complain);
    fill(parts.list, items.length ? table(["When", "Who", "Did", "What", "Change"], items.map(row), { caption: "Audit log" }) : h("p", { class: "muted" }, "No entry matches."),
      view.before.length === 0 && !next ? null : h("nav", { class: "pager", "aria-label": "Pages" },
        button("‹ Older", () => turn(view.before.at(-1), view.before.slice(0, -1)), { disabled: view.before.length === 0 }),
        button("Newer ›", () => turn(next, [...view.before, view.here]), { disabled: !next })));
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); read(undefined, []).catch(complain); });
  fill(main, h("div", { class: "head" }, h("h1", null, "Audit log"), h("div", { class: "actions" }, link("/api/v1/audit/export", "Export"), button("Verify", () => verify(parts.verdict).catch(complain), { id: "verify", class: "primary" }))),
    form, parts.verdict, h("p", { class: "muted" }, "Oldest first."), parts.list);
  read(undefined, []).catch((problem) => (problem.status === 403 ? instead(problem) : complain(problem)));
  return () => { view.left = true; };
}

const yesterday = () => new Date(Date.now() - 86400000).toISOString().slice(0, 10);

async function verify(parent) {
  fill(parent, h("p", { class: "muted" }, "Checking the whole chain…"));
  const found = await get("/api/v1/audit/verify").catch((problem) => { fill(parent); throw problem; });
  fill(parent, found.ok
    ? h("div", { class: "notice good" }, h("div", null, h("strong", null, `All ${found.entries} entries from number ${found.from} on hold.`),
      h("div", null, "Note this hash elsewhere, and nobody can change the log unseen: ", code(found.hash))))
    : h("div", { class: "notice bad" }, h("div", null, h("strong", null, `The chain breaks at entry ${found.broken.seq}: ${found.broken.why}.`),
      h("div", null, `${found.entries} entries before it hold. Compare with a backup or an export.`))));
}

function row(entry) {
  const { seq, at, actor, verb, kind, namespace, name, outcome, reason } = entry;
  const full = namespace && name ? `${name}.${namespace}` : name || namespace;
  const refused = outcome === "refused";
  const time = new Date(at);
  return { tone: refused ? "warn" : null, cells: [
    [h("time", { datetime: time.toISOString(), title: `entry ${seq}` }, `${day(at)} ${clock(at)}`)],
    [actor.name || muted("nobody known"), h("span", { class: "sub" }, [actor.kind === "user" ? "" : actor.kind, actor.origin].filter(Boolean).join(", "))],
    [verb, refused ? [" ", h("span", { class: "badge warn" }, "refused")] : null],
    kind ? [`${kind} `, verb === "delete" && !refused ? full : link(page(kind, full), full)] : full || null,
    [reason ? h("span", { class: "line" }, reason) : null, change(entry)],
  ] };
}

/** What was and what is, unfolded on a click. */
function change({ before, after }) {
  if (before === undefined && after === undefined) return null;
  const shown = (title, value) => (value === undefined ? null : [h("h4", null, title), h("pre", null, JSON.stringify(value, null, 2))]);
  const body = h("details", { class: "change", ontoggle: () => { if (body.open && body.children.length === 1) body.append(...[shown("Before", before), shown("After", after)].flat().filter(Boolean)); } },
    h("summary", null, before === undefined ? "what was made" : after === undefined ? "what went" : "what changed"));
  return body;
}
