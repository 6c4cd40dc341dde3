// Asks before something that cannot be undone, and for what must not stay on a page, in the browser's own modal dialog (focus
// stays inside, Escape cancels).

import { button, fill, h } from "./dom.js";

/** True when the person confirmed; with `typed`, only after writing that very text. */
export async function ask({ title, text, label, danger, typed }) {
  const yes = h("button", { class: danger ? "danger" : "primary", type: "submit", value: "yes", disabled: Boolean(typed) }, label);
  const field = typed ? h("input", { id: "typed", autocomplete: "off", spellcheck: "false", autocapitalize: "none",
    oninput: (event) => { yes.disabled = event.target.value !== typed; } }) : null;
  const extra = typed ? h("label", { for: "typed" }, h("span", null, "Type ", h("code", null, typed), " to confirm"), field) : null;
  return await modal(title, [h("p", null, text), extra], yes, field) === "yes";
}

/** Values of the fields by name (`[name, label, autocomplete]`), or null. */
export async function secret({ title, fields }) {
  const inputs = fields.map(([name, , autocomplete]) => h("input", { id: `secret-${name}`, name, type: "password", autocomplete, required: true, minlength: autocomplete === "new-password" ? 12 : null }));
  const yes = h("button", { class: "primary", type: "submit", value: "yes" }, "Set it");
  const rows = fields.map(([, label, autocomplete], i) => h("label", { for: inputs[i].id }, label, inputs[i], autocomplete === "new-password" ? h("span", { class: "muted hint" }, "At least 12 characters.") : null));
  const answer = await modal(title, rows, yes, inputs[0]);
  const values = Object.fromEntries(inputs.map((input) => [input.name, input.value]));
  for (const input of inputs) input.value = "";
  return answer === "yes" ? values : null;
}

/** Values of a form in a dialog, by name: `{name, label, value, hint, options}`; null when cancelled. */
export async function askFor({ title, text, fields, label }) {
  const inputs = fields.map((field) => (field.options
    ? h("select", { id: `ask-${field.name}`, name: field.name }, field.options.map(([value, text]) => h("option", { value, selected: value === field.value }, text)))
    : h("input", { id: `ask-${field.name}`, name: field.name, type: field.type ?? "text", value: field.value, checked: field.checked, autocomplete: "off", spellcheck: "false", placeholder: field.placeholder })));
  const rows = fields.map((field, i) => h("label", { for: inputs[i].id, class: field.type === "checkbox" ? "check" : null }, field.label, inputs[i], field.hint ? h("span", { class: "muted hint" }, field.hint) : null));
  const yes = h("button", { class: "primary", type: "submit", value: "yes" }, label);
  const answer = await modal(title, [text ? h("p", null, text) : null, rows], yes, inputs[0]);
  return answer === "yes" ? Object.fromEntries(inputs.map((input) => [input.name, input.type === "checkbox" ? input.checked : input.value.trim()])) : null;
}

function modal(title, body, yes, first) {
  const dialog = document.getElementById("dialog");
  return new Promise((resolve) => {
    const no = button("Cancel", () => dialog.close(""));
    fill(dialog, h("form", { method: "dialog" }, h("h2", { id: "dialog-title" }, title), body, h("div", { class: "actions" }, no, yes)));
    dialog.returnValue = "";
    dialog.addEventListener("close", () => { resolve(dialog.returnValue === "yes" ? "yes" : ""); }, { once: true });
    dialog.showModal();
    (first ?? no).focus();
  });
}
