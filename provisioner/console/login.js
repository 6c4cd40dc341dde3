// Logging in: by name and password, the first time by a one-time code, at the organisation's own login, or with the operator
// token of the machine itself. The session is a cookie that scripts cannot read.

import { call, get } from "./api.js";
import { button, fill, h } from "./dom.js";

const WAYS = {
  password: {
    title: "Log in", submit: "Log in", fields: [
      { name: "user", label: "Name", autocomplete: "username" },
      { name: "password", label: "Password", type: "password", autocomplete: "current-password" },
    ],
    send: (values) => call("POST", "/api/v1/login", values),
  },
  code: {
    title: "First login", submit: "Become administrator", fields: [
      { name: "code", label: "One-time code", autocomplete: "one-time-code", hint: "cairn init printed it. On the machine, as root, a new one is made by: cairn admin code" },
      { name: "user", label: "Your name here", autocomplete: "username", hint: "Small letters, digits and dashes." },
      { name: "password", label: "New password", type: "password", autocomplete: "new-password", minlength: 12, hint: "At least 12 characters, of any kind." },
      { name: "again", label: "The same again", type: "password", autocomplete: "new-password" },
    ],
    send: ({ again, ...values }) => {
      if (again !== values.password) throw Object.assign(new Error("The two passwords differ."), { next: "", errors: [{ field: "again" }] });
      return call("POST", "/api/v1/login", values);
    },
  },
  token: {
    title: "Operator token", submit: "Log in", fields: [
      { name: "token", label: "Operator token", type: "password", autocomplete: "off", hint: "On the provisioner, this prints it: cairn console --token" },
    ],
    send: ({ token }) => call("POST", "/api/v1/session", { token: token.trim() }),
  },
};

/** What the last login told that is worth keeping while the page is open. */
let advice = "";

export function showLogin(main, done, way = "password") {
  document.title = "Log in · Cairn";
  const { title, submit, fields, send } = WAYS[way];
  const error = h("p", { class: "error", id: "login-error", role: "alert" });
  const inputs = fields.map((field) => h("input", { id: `login-${field.name}`, name: field.name, type: field.type ?? "text", required: true,
    autocomplete: field.autocomplete, minlength: field.minlength, spellcheck: "false", autocapitalize: "none", "aria-describedby": "login-error" }));
  const yes = h("button", { class: "primary", type: "submit" }, submit);
  const go = async (event) => {
    event.preventDefault();
    yes.disabled = true;
    error.textContent = "";
    try {
      const answer = await send(Object.fromEntries(inputs.map((input) => [input.name, input.value])));
      advice = answer.note ?? "";
      for (const input of inputs) input.value = "";
      done();
    } catch (problem) {
      error.textContent = [problem.message, problem.status === 401 && way === "password" ? "" : problem.next].filter(Boolean).join(" ");
      yes.disabled = false;
      const wrong = inputs.find((input) => problem.errors?.some((e) => e.field === input.name)) ?? inputs.at(-1);
      wrong.focus();
      wrong.select();
    }
  };
  const other = (to, text) => (to === way ? null : button(text, () => showLogin(main, done, to), { class: "link" }));
  const issuer = h("div");
  fill(main, h("section", { class: "login" }, h("h1", null, title),
    h("form", { onsubmit: go },
      fields.map((field, at) => [h("label", { for: inputs[at].id }, field.label), inputs[at],
        field.hint ? h("p", { class: "muted hint" }, field.hint) : null]), error, yes),
    issuer,
    h("p", { class: "ways" }, other("password", "Log in with name and password"), other("code", "I have a one-time code"), other("token", "I have the operator token"))));
  inputs[0].focus();
  offersIssuer().then((yes) => {
    if (yes) fill(issuer, h("a", { class: "button", href: "/api/v1/login/oidc" }, "Log in with your organisation's account"));
  });
}

async function offersIssuer() {
  try { return (await get("/api/v1/login")).oidc; } catch { return false; }
}

/** Logged in, and nothing to see. */
export function showNobody(main, me) {
  document.title = "Cairn";
  fill(main, h("section", { class: "empty" }, h("h1", null, `Hello ${me.name}, you have no role yet`),
    h("p", null, advice || "So there is nothing to see. Ask an administrator of this site for a role."),
    h("p", { class: "muted" }, `An administrator gives one on the page Access: New binding, with the user ${me.name}.`),
    button("Look again", () => location.reload())));
}
