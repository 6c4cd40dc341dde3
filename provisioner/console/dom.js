// Builds DOM nodes. Text always goes in as text: nothing that a machine says is ever read as HTML.

/** Attributes that people read. */
const SPOKEN = new Set(["title", "aria-label", "placeholder"]);

export function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [k, v] of Object.entries(value)) node.style.setProperty(k, v);
    else node.setAttribute(key, value === true ? "" : SPOKEN.has(key) ? plain(value) : value);
  }
  node.append(...shown(children));
  return node;
}

const shown = (children) => children.flat(4).filter((c) => c !== null && c !== undefined && c !== false && c !== "")
  .map((c) => (typeof c === "string" ? plain(c) : c));

/** Marks that turn the direction of text would move what stands beside a stranger's words: they show as what they are. */
const plain = (text) => text.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");

const SVG = "http://www.w3.org/2000/svg";

export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

/** Replaces what `parent` holds, keeping the focus when the same control is drawn again. */
export function fill(parent, ...children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement.id : "";
  parent.replaceChildren(...shown(children));
  if (focused) document.getElementById(focused)?.focus();
}

export const muted = (...text) => h("span", { class: "muted" }, text);
export const code = (text) => (text ? h("code", null, text) : null);
export const link = (href, ...text) => h("a", { href }, text);
export const button = (label, onclick, props = {}) => h("button", { type: "button", onclick, ...props }, label);

/** A table that becomes cards on narrow screens: `head` names the columns, each row is a list of cells. */
export function table(head, rows, { caption } = {}) {
  const cell = (content, at) => (at === 0
    ? h("th", { scope: "row" }, content)
    : h("td", { "data-label": head[at] }, h("div", null, content ?? muted("–"))));
  return h("table", { class: "cards" },
    caption ? h("caption", { class: "sr" }, caption) : null,
    h("thead", null, h("tr", null, head.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", null, rows.map((row) => h("tr", { class: row.tone ? `tone-${row.tone}` : null }, (row.cells ?? row).map(cell)))));
}

/** What a page says that has nothing to show yet. */
export function empty(title, text, ...more) {
  return h("section", { class: "empty" }, h("h2", null, title), h("p", null, text), more);
}
