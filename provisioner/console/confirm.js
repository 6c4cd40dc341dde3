// Asks before something that cannot be undone, in the browser's own modal dialog (focus stays inside, Escape cancels).

import { fill, h } from "./dom.js";

/** True when the person confirmed; with `typed`, only after writing that very text. */
export function ask({ title, text, label, danger, typed }) {
  const dialog = document.getElementById("dialog");
  return new Promise((resolve) => {
    const yes = h("button", { class: danger ? "danger" : "primary", type: "submit", value: "yes", disabled: Boolean(typed) }, label);
    const no = h("button", { type: "button", onclick: () => dialog.close("") }, "Cancel");
    const field = typed ? h("input", { id: "typed", autocomplete: "off", spellcheck: "false",
      oninput: (event) => { yes.disabled = event.target.value !== typed; } }) : null;
    fill(dialog, h("form", { method: "dialog" },
      h("h2", { id: "dialog-title" }, title),
      h("p", null, text),
      typed ? h("label", { for: "typed" }, h("span", null, "Type ", h("code", null, typed), " to confirm"), field) : null,
      h("div", { class: "actions" }, no, yes)));
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
    (field ?? no).focus();
  });
}
