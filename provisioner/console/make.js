// Forms for what is made most often: hosts, users, role bindings, service tokens. Everything else is made as text.

import { call, path, several } from "./api.js";
import { complain, go, instead, notice } from "./app.js";
import { fill, h, link } from "./dom.js";
import { form, once } from "./form.js";
import { called, fullName, pageOf } from "./names.js";

const BUILTIN = ["viewer", "auditor", "app-deployer", "host-installer", "site-operator", "project-admin", "org-admin", "admin"];
const FORMS = { hosts: host, users: user, rolebindings: binding, tokens: token };

export function showMake(main, plural) {
  if (!FORMS[plural]) return instead({ status: 404, message: "There is no such form.", next: "" });
  const view = { left: false };
  const asked = new URLSearchParams(location.search);
  fill(main, h("p", { class: "muted" }, "Loading…"));
  FORMS[plural](asked).then(({ title, text, as, ...rest }) => {
    if (view.left) return;
    document.title = `${title} · Cairn`;
    const done = (made) => (made.secret ? fill(main, once(`Token ${made.metadata.name}`, made.secret,
      "Copy the secret now: it is shown this once, and kept nowhere but as a hash.", "/access/tokens")) : finish(made));
    fill(main, h("div", { class: "head" }, h("h1", null, title)), h("p", { class: "muted" }, text, " ", link(`/new/${plural}${location.search}`, as ?? "Write it as text instead.")),
      form({ ...rest, done }));
    main.querySelector("form input, form select")?.focus();
  }).catch((problem) => (view.left ? null : complain(problem)));
  return () => { view.left = true; };
}

function finish(made) {
  go(made.kind === "Host" ? pageOf(made) : `/access/${made.kind === "User" ? "users" : "rolebindings"}`);
  notice("good", `${made.kind} ${fullName(made)} is made.`);
}

async function projects() {
  const { items } = await several("projects");
  return items.map((project) => [fullName(project), `${called(project)} (${fullName(project)})`]);
}

/** The appliance, organisations, projects: where something may hold. */
async function places() {
  const [{ items: organisations }, projectsOf] = await Promise.all([several("organisations"), projects()]);
  return [["", "the whole appliance"], ...organisations.map((o) => [o.metadata.name, `organisation ${called(o)}`]), ...projectsOf.map(([value, text]) => [value, `project ${text}`])];
}

const manifest = (kind, name, namespace, spec, labels) => ({ apiVersion: "cairn/v1", kind,
  metadata: { name, namespace, ...(labels ? { labels } : {}) }, spec: Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== "" && value !== undefined)) });

/** `env=prod, tier=web` */
function labelsOf(text) {
  return Object.fromEntries(text.split(",").map((one) => one.trim()).filter(Boolean).map((one) => {
    const at = one.indexOf("=");
    return at < 0 ? [one, ""] : [one.slice(0, at).trim(), one.slice(at + 1).trim()];
  }));
}

async function host(asked) {
  const options = await projects();
  return {
    title: "Register a host", text: "Say what you know of the machine; one of serial number, UUID, address and EK is enough. It is installed at its next network boot.",
    submit: "Register", cancel: "/", fields: [
      { name: "name", label: "Name", required: true, field: "metadata.name", hint: "Small letters, digits and dashes." },
      { name: "namespace", label: "Project", options, value: asked.get("namespace") ?? "default.default", field: "metadata.namespace" },
      { name: "site", label: "Site", value: asked.get("site"), field: "spec.site", hint: "Empty: the project's site main, or its only one." },
      { name: "serial", label: "Serial number", field: "spec.serial" },
      { name: "uuid", label: "SMBIOS UUID", field: "spec.uuid" },
      { name: "mac", label: "Network addresses", value: asked.get("mac"), field: "spec.macs", placeholder: "52:54:00:12:34:56, …" },
      { name: "ek", label: "EK hash of its TPM", field: "spec.ek", hint: "SHA-256, 64 hexadecimal digits." },
      { name: "image", label: "OS image", field: "spec.image", hint: "Empty: by policy." },
      { name: "labels", label: "Labels", field: "metadata.labels", placeholder: "env=prod, tier=web" },
    ],
    send: (v) => call("POST", path("hosts"), manifest("Host", v.name, v.namespace,
      { site: v.site, serial: v.serial, uuid: v.uuid, ek: v.ek, image: v.image, macs: v.mac ? v.mac.split(/[\s,]+/).filter(Boolean) : undefined }, labelsOf(v.labels))),
  };
}

async function user() {
  return {
    title: "New user", text: "A person who logs in with name and password. Rights come from a role binding.", submit: "Make user", cancel: "/access/users", fields: [
      { name: "name", label: "Name", required: true, field: "metadata.name", hint: "Small letters, digits and dashes." },
      { name: "displayName", label: "Full name", field: "spec.displayName" },
      { name: "email", label: "E-mail", type: "email", field: "spec.email" },
      { name: "password", label: "First password", type: "password", autocomplete: "new-password", minlength: 12, field: "new", hint: "At least 12 characters. Empty: it is set later, or the user logs in elsewhere." },
    ],
    send: async (v) => {
      const made = await call("POST", path("users"), manifest("User", v.name, "", { displayName: v.displayName, email: v.email }));
      if (v.password) {
        try {
          await call("POST", `${path("users", v.name)}/password`, { new: v.password });
        } catch (problem) {
          problem.message = `The user was made, but has no password: ${problem.message}`;
          problem.errors = [];
          throw problem;
        }
      }
      return made;
    },
  };
}

async function binding(asked) {
  const [options, { items: users }] = await Promise.all([places(), several("users")]);
  return {
    title: "New role binding", text: "Who has which role, and where. It holds there and below.", submit: "Give role", cancel: "/access/rolebindings", fields: [
      { name: "kind", label: "To", options: [["User", "a user"], ["Group", "all of a group"]] },
      { name: "subject", label: "Name", required: true, field: "spec.subjects", value: asked.get("user"), hint: users.length ? `Users: ${users.slice(0, 12).map((u) => u.metadata.name).join(", ")}` : "" },
      { name: "role", label: "Role", required: true, field: "spec.role", value: "viewer", hint: `${BUILTIN.join(", ")}, or one of your own.` },
      { name: "namespace", label: "Where", options, field: "metadata.namespace" },
      { name: "at", label: "Only at", field: "spec.at", placeholder: "Site/store-1", hint: "Region/NAME or Site/NAME of the project. Empty: all of it." },
    ],
    send: (v) => call("POST", path("rolebindings"), manifest("RoleBinding", `${v.subject}-${v.role}${v.at ? `-${v.at.split("/").at(-1)}` : ""}`.toLowerCase().replace(/[^a-z0-9-]+/g, "-").slice(0, 63), v.namespace,
      { role: v.role, subjects: [{ kind: v.kind, name: v.subject }], at: place(v.at) })),
  };
}

async function token() {
  const options = await places();
  const days = (n) => new Date(Date.now() + n * 86400000).toISOString().slice(0, 10);
  return {
    title: "New service token", text: "A credential for a program: it can do what its role allows, where it holds, until it ends.", submit: "Make token", cancel: "/access/tokens", fields: [
      { name: "name", label: "Name", required: true, field: "metadata.name" },
      { name: "description", label: "What it is for", field: "spec.description" },
      { name: "role", label: "Role", required: true, field: "spec.role", value: "viewer", hint: `${BUILTIN.join(", ")}, or one of your own.` },
      { name: "namespace", label: "Where", options, field: "metadata.namespace" },
      { name: "at", label: "Only at", field: "spec.at", placeholder: "Site/store-1", hint: "Region/NAME or Site/NAME of the project. Empty: all of it." },
      { name: "expires", label: "Until", type: "date", required: true, field: "spec.expires", value: days(90), min: days(1), max: days(399), hint: "At most 400 days." },
    ],
    send: (v) => call("POST", path("tokens"), manifest("Token", v.name, v.namespace, { description: v.description, role: v.role, at: place(v.at), expires: `${v.expires}T00:00:00Z` })),
  };
}

function place(text) {
  const [kind, name] = text.split("/");
  return text ? { kind, name: name ?? "" } : undefined;
}
