// The login page: the operator token is exchanged for a session cookie that scripts cannot read.

import { call } from "./api.js";
import { fill, h } from "./dom.js";

export function showLogin(main, done) {
  document.title = "Log in · Cairn";
  const error = h("p", { class: "error", id: "login-error", role: "alert" });
  const field = h("input", {
    id: "token", name: "token", type: "password", autocomplete: "current-password", required: true, spellcheck: "false",
    "aria-describedby": "login-error login-help",
  });
  const button = h("button", { class: "primary", type: "submit" }, "Log in");
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    error.textContent = "";
    try {
      await call("POST", "/api/v1/session", { token: field.value.trim() });
      field.value = "";
      done();
    } catch (problem) {
      error.textContent = problem.status === 401 ? problem.message : `${problem.message} ${problem.next}`;
      button.disabled = false;
      field.select();
    }
  };
  fill(main, h("section", { class: "login" },
    h("h1", null, "Log in"),
    h("form", { onsubmit: submit },
      // Password managers file the token under a name.
      h("input", { type: "text", name: "username", value: "operator", autocomplete: "username", hidden: true }),
      h("label", { for: "token" }, "Operator token"), field, error, button),
    h("p", { class: "muted", id: "login-help" }, "On the provisioner, this prints the token: ",
      h("code", null, "cairn console --token"))));
  field.focus();
}
