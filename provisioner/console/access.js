// Who may do what: users, role bindings, roles, service tokens.

import { call, path } from "./api.js";
import { complain, me, notice } from "./app.js";
import { ask, secret } from "./confirm.js";
import { button, code, empty, fill, h, link } from "./dom.js";
import { listing, where } from "./listing.js";
import { fullName, page, pageOf } from "./names.js";
import { since } from "./words.js";

const TABS = { users: "Users", rolebindings: "Bindings", roles: "Roles", tokens: "Tokens" };

export function showAccess(main, tab = "users") {
  const chosen = TABS[tab] ? tab : "users";
  document.title = `${TABS[chosen]} · Cairn`;
  const body = h("div");
  const fresh = { users: ["/make/users", "New user"], rolebindings: ["/make/rolebindings", "New binding"], roles: ["/new/roles", "New role"], tokens: ["/make/tokens", "New token"] }[chosen];
  fill(main, h("div", { class: "head" }, h("h1", null, "Access"), h("div", { class: "actions" }, link(...fresh))), mine(),
    h("nav", { class: "tabs", "aria-label": "Access" }, Object.entries(TABS).map(([key, text]) => h("a", { href: `/access/${key}`, "aria-current": key === chosen ? "page" : null }, text))), body);
  return listing(body, LISTS[chosen]);
}

/** Who I am, and what I may. */
function mine() {
  const roles = me.bindings.map(({ role, at }, i) => [i ? ", " : "", h("b", null, role), at ? [" at ", link(page(at.kind, at.name), `${at.kind} ${at.name}`)] : " of the appliance"]);
  return h("p", { class: "me-line" }, "You are ", h("b", null, me.name), me.kind === "user" ? null : ` (${me.kind})`, roles.length ? [": ", roles] : null, ". ",
    me.kind === "user" ? button("Change my password", own, { class: "link" }) : null);
}

async function own() {
  const values = await secret({ title: "Change your password", fields: [["old", "Old password", "current-password"], ["new", "New password", "new-password"]] });
  if (!values) return;
  try {
    await call("POST", `${path("users", me.name)}/password`, values);
    notice("good", "Your password is changed.", "Your other sessions have ended.");
  } catch (problem) { passwordFailed(problem); }
}

/** A wrong old password is no end of this session. */
const passwordFailed = (problem) => notice("bad", problem.message, problem.next);

async function another(user) {
  const values = await secret({ title: `Set the password of ${user.metadata.name}`, fields: [["new", "New password", "new-password"]] });
  if (!values) return;
  try {
    await call("POST", `${path("users", fullName(user))}/password`, values);
    notice("good", `The password of ${user.metadata.name} is set.`, "All sessions of that user have ended.");
  } catch (problem) { passwordFailed(problem); }
}

async function revoke(token) {
  const yes = await ask({ title: `Revoke ${token.metadata.name}`, text: "It is void at once, and what uses it fails.", label: "Revoke", danger: true });
  if (!yes) return;
  try {
    await call("DELETE", path("tokens", fullName(token)));
    notice("good", `Token ${fullName(token)} is void.`);
  } catch (problem) { complain(problem); }
}

const at = (spec, namespace) => (spec.at ? link(page(spec.at.kind, `${spec.at.name}.${namespace}`), `${spec.at.kind} ${spec.at.name}`) : null);
const badge = (tone, text) => h("span", { class: `badge ${tone}` }, text);

const LISTS = {
  users: {
    kind: "User", head: ["User", "Login", "Groups", ""],
    row: (user) => [[link(pageOf(user), user.metadata.name), h("span", { class: "sub" }, [user.spec.displayName, user.spec.email].filter(Boolean).join(", "))],
      user.spec.disabled ? badge("warn", "disabled") : user.spec.oidc ? ["organisation's login", h("span", { class: "sub" }, user.spec.oidc.issuer)] : "password",
      user.spec.groups?.length ? user.spec.groups.join(", ") : null,
      h("span", { class: "rowacts" }, link(`/make/rolebindings?user=${encodeURIComponent(user.metadata.name)}`, "Give a role"), user.spec.oidc ? null : button("Set password", () => another(user), { class: "link" }))],
    empty: () => (me.kind === "setup"
      ? empty("No users", "You work with the operator token of the machine. Make a user for each person: the audit log then says who did what.", link("/make/users", "New user"))
      : empty("No users that you may see", "Users belong to the whole appliance: its administrators see them.")),
  },
  rolebindings: {
    kind: "RoleBinding", head: ["Binding", "Role", "Who", "Where"],
    row: (binding) => [link(pageOf(binding), binding.metadata.name), code(binding.spec.role),
      binding.spec.subjects.map(({ kind, name }, i) => [i ? ", " : "", kind === "Group" ? `group ${name}` : link(page("User", name), name)]),
      [at(binding.spec, binding.metadata.namespace), at(binding.spec, binding.metadata.namespace) ? " of " : null, where(binding)]],
    empty: empty("No bindings", "People have no rights of their own: a binding gives a role at a place, and it holds there and below.", link("/make/rolebindings", "New binding")),
  },
  roles: {
    kind: "Role", head: ["Role", "Lives in", "What it allows"],
    row: (role) => [[link(pageOf(role), role.metadata.name), h("span", { class: "sub" }, role.spec.description ?? "")], where(role),
      role.spec.rules.map((rule) => h("div", null, h("b", null, rule.verbs?.length ? rule.verbs.join(", ") : "everything"), " on ", rule.kinds?.length ? rule.kinds.join(", ") : "all kinds"))],
    empty: empty("No roles of your own", "The built-in ones are: admin, org-admin, project-admin, site-operator, host-installer, app-deployer, auditor, viewer.", link("/new/roles", "New role")),
  },
  tokens: {
    kind: "Token", head: ["Token", "Role", "Where", "Ends", ""],
    row: (token) => {
      const ends = Date.parse(token.spec.expires);
      return [[link(pageOf(token), token.metadata.name), h("span", { class: "sub" }, token.spec.description ?? "")], code(token.spec.role),
        [at(token.spec, token.metadata.namespace), token.spec.at ? " of " : null, where(token)],
        Number.isNaN(ends) ? token.spec.expires : [ends < Date.now() ? badge("bad", "ended") : null, " ", since(ends)],
        button("Revoke", () => revoke(token), { class: "danger small" })];
    },
    empty: empty("No service tokens", "A token lets a program in, with one role at one place, until a day that you choose. Its secret is shown once.", link("/make/tokens", "New token")),
  },
};
