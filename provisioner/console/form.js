// A form over an API body: labelled inputs, errors at their field.

import { button, h } from "./dom.js";

/**
 * `fields`: `{name, label, type, hint, required, options, value, field}`; `field` is the path by which the API tells of errors.
 * `send` gets the values by name and throws a `Problem`; what it gives goes to `done`.
 */
export function form({ fields, submit, send, done, cancel }) {
  const rows = fields.map((field) => ({ field, input: input(field), error: h("p", { class: "error", id: `error-${field.name}` }) }));
  const whole = h("p", { class: "error", role: "alert" });
  const yes = h("button", { type: "submit", class: "primary" }, submit);
  const go = async (event) => {
    event.preventDefault();
    for (const { error, input } of rows) { error.textContent = ""; input.removeAttribute("aria-invalid"); }
    whole.textContent = "";
    yes.disabled = true;
    try {
      done(await send(Object.fromEntries(rows.map(({ field, input }) => [field.name, input.type === "checkbox" ? input.checked : input.value.trim()]))));
    } catch (problem) {
      if (!("status" in problem)) throw problem;
      show(problem, rows, whole);
    } finally { yes.disabled = false; }
  };
  return h("form", { class: "form", onsubmit: go }, rows.map(({ field, input, error }) => h("div", { class: "field" },
    h("label", { for: input.id }, field.label), input, field.hint ? h("p", { class: "muted hint" }, field.hint) : null, error)),
  whole, h("div", { class: "actions" }, yes, cancel ? h("a", { href: cancel }, "Cancel") : null));
}

function input(field) {
  const props = { id: `field-${field.name}`, name: field.name, required: field.required, "aria-describedby": `error-${field.name}`, autocomplete: field.autocomplete ?? "off" };
  if (field.options) {
    return h("select", props, field.options.map(([value, text]) => h("option", { value, selected: value === field.value }, text)));
  }
  return h("input", { ...props, type: field.type ?? "text", value: field.value, placeholder: field.placeholder, minlength: field.minlength, min: field.min, max: field.max,
    spellcheck: "false", autocapitalize: "none" });
}

function show(problem, rows, whole) {
  const rest = [];
  let first = null;
  for (const { field, message, next } of problem.errors.length ? problem.errors : [{ field: "", message: problem.message, next: problem.next }]) {
    const row = rows.find((row) => field !== "" && (row.field.field === field || (row.field.field && field.startsWith(`${row.field.field}`))));
    const text = [message, next].filter(Boolean).join(". ").replace(/\.\./g, ".");
    if (!row) { rest.push([field, text].filter(Boolean).join(": ")); continue; }
    row.error.textContent = text;
    row.input.setAttribute("aria-invalid", "true");
    first ??= row.input;
  }
  whole.textContent = rest.join(" ");
  first?.focus();
}

/** A secret that is shown this once, with a button that copies it. */
export function once(title, secret, text, href) {
  const field = h("input", { id: "secret", readonly: true, value: secret, "aria-label": "Secret", class: "mono", onfocus: (event) => event.target.select() });
  const said = h("span", { class: "muted", role: "status" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(secret);
      said.textContent = "Copied.";
    } catch {
      field.focus();
      said.textContent = "Press Ctrl+C.";
    }
  };
  return h("section", { class: "empty" }, h("h1", null, title), h("p", null, text), h("div", { class: "once" }, field, button("Copy", copy, { class: "primary", id: "copy" })), said,
    h("div", { class: "actions" }, h("a", { href }, "I have kept it")));
}
