// First page: all hosts with their state and reason, machines that knocked and are nobody's, and how to begin.

import { all, get, watch } from "./api.js";
import { complain, setLive } from "./app.js";
import { fill, h } from "./dom.js";
import { badge, since, stateOf, STATES } from "./words.js";

export function showHosts(main) {
  document.title = "Hosts · Cairn";
  const view = { hosts: new Map(), machines: [], status: null, text: "", state: null, stop: () => {}, timer: 0 };
  const parts = layout(view);
  fill(main, parts.warnings, parts.head, parts.counts, parts.list, parts.machines);
  const slash = (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) {
      event.preventDefault();
      parts.filter.focus();
    }
  };
  addEventListener("keydown", slash);
  load(view, parts).catch(complain);
  return () => { view.left = true; view.stop(); clearTimeout(view.timer); removeEventListener("keydown", slash); };
}

function layout(view) {
  const filter = h("input", {
    id: "filter", type: "search", placeholder: "Filter by name, serial, address…  ( / )", "aria-label": "Filter hosts",
  });
  const parts = {
    filter,
    warnings: h("div", { class: "warnings" }),
    head: h("div", { class: "head" }, h("h1", null, "Hosts"), filter),
    counts: h("div", { class: "counts", role: "group", "aria-label": "Show one state" }),
    list: h("div", { class: "list" }, h("p", { class: "muted" }, "Loading…")),
    machines: h("section", { class: "machines" }),
  };
  filter.addEventListener("input", () => { view.text = filter.value.trim().toLowerCase(); draw(view, parts); });
  return parts;
}

async function load(view, parts) {
  // The place in time first: what changes while the lists are read is then told again.
  const status = await get("/api/v1/status");
  const [hosts, machines] = await Promise.all([all("/api/v1/hosts"), all("/api/v1/machines", 500)]);
  if (view.left) return;
  view.hosts = new Map(hosts.map((host) => [host.id, host]));
  Object.assign(view, { machines, status });
  draw(view, parts);
  view.stop = watch(`/api/v1/watch?after=${status.seq}`, {
    host: (host) => { view.hosts.set(host.id, host); later(view, parts); },
    gone: ({ id }) => { view.hosts.delete(id); later(view, parts); },
    machines: () => refresh(view, parts),
    reset: () => { view.stop(); load(view, parts).catch(complain); },
    site: () => refresh(view, parts),
  }, setLive);
}

/** Many events come at once while a rack boots: draw at most four times a second. */
function later(view, parts) {
  view.timer ||= setTimeout(() => { view.timer = 0; draw(view, parts); }, 250);
}

async function refresh(view, parts) {
  try {
    [view.machines, view.status] = await Promise.all([all("/api/v1/machines", 500), get("/api/v1/status")]);
    later(view, parts);
  } catch (problem) { complain(problem); }
}

function draw(view, parts) {
  if (view.left) return;
  const hosts = [...view.hosts.values()].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  fill(parts.warnings, (view.status?.warnings ?? []).map((w) => h("div", { class: "notice warn" },
    h("div", null, h("strong", null, w.text), w.next ? h("div", null, w.next) : null))));
  fill(parts.counts, counts(view, parts, hosts));
  parts.head.querySelector("#filter").hidden = hosts.length === 0;
  const shown = hosts.filter((host) => matches(view, host));
  fill(parts.list, hosts.length === 0 ? teach() : shown.length === 0 ? none(view, parts) : table(shown));
  fill(parts.machines, machines(view.machines));
}

function matches(view, host) {
  if (view.state && host.state !== view.state) return false;
  const text = [host.name, host.state, host.serial, host.uuid, host.image, host.why, ...host.macs].join(" ").toLowerCase();
  return view.text.split(/\s+/).every((word) => text.includes(word));
}

function counts(view, parts, hosts) {
  return Object.keys(STATES).map((word) => {
    const n = hosts.filter((host) => host.state === word).length;
    if (n === 0 && view.state !== word) return null;
    const pressed = view.state === word;
    const toggle = () => { view.state = pressed ? null : word; draw(view, parts); };
    const id = `count-${word.replace(" ", "-")}`;
    return h("button", { id, type: "button", class: `count ${stateOf(word).tone}`, "aria-pressed": String(pressed), onclick: toggle },
      h("b", null, String(n)), badge(word));
  });
}

function table(hosts) {
  const head = ["Host", "State", "Why", "Image", "Changed", "TPM"];
  return h("table", { class: "hosts" },
    h("thead", null, h("tr", null, head.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", null, hosts.map(row)));
}

function row(host) {
  const cell = (label, ...content) => h("td", { "data-label": label }, content);
  const why = host.why ? [h("span", null, host.why), h("span", { class: "next" }, host.next)]
    : h("span", { class: "muted" }, stateOf(host.state).hint);
  const image = host.installed ? `${host.installed.image} ${host.installed.version}` : host.image ?? "default";
  return h("tr", { class: `tone-${stateOf(host.state).tone}` },
    h("th", { scope: "row" }, h("a", { href: `/hosts/${encodeURIComponent(host.name)}` }, host.name),
      host.serial ? h("span", { class: "sub" }, host.serial) : null),
    cell("State", badge(host.state), host.attempt > 1 ? h("span", { class: "sub" }, `attempt ${host.attempt}`) : null),
    h("td", { class: "why", "data-label": "Why" }, why),
    cell("Image", image),
    cell("Changed", since(host.since)),
    cell("TPM", tpm(host.tpm)));
}

function tpm(seen) {
  if (!seen) return h("span", { class: "muted" }, "not seen");
  const proven = seen.proven === "yes" ? "proven" : "not proven";
  return seen.manufacturer ? [seen.manufacturer, h("span", { class: "sub" }, proven)] : proven;
}

function machines(list) {
  if (list.length === 0) return [];
  const command = (m) => `cairn host register NAME --mac ${m.mac}`;
  return [
    h("h2", null, "Machines that knocked"),
    h("p", { class: "muted" }, "They asked for a boot file and match no host. An unknown machine gets the installer to prove itself, and nothing else."),
    h("table", { class: "hosts" },
      h("thead", null, h("tr", null, ["Address", "Seen", "Last step", "To register it"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", null, list.map((m) => h("tr", null,
        h("th", { scope: "row" }, h("code", null, m.mac)),
        h("td", { "data-label": "Seen" }, since(m.at)),
        h("td", { "data-label": "Last step", class: "why" }, m.text),
        h("td", { "data-label": "Register", class: "command" }, h("code", null, command(m))))))),
  ];
}

function none(view, parts) {
  const clear = () => { view.text = ""; view.state = null; parts.filter.value = ""; draw(view, parts); parts.filter.focus(); };
  return h("p", { class: "muted" }, "No host matches the filter. ", h("button", { type: "button", class: "link", onclick: clear }, "Show all"));
}

function teach() {
  const step = (title, text, command) => h("li", null, h("h3", null, title), h("p", null, text), h("pre", null, command));
  return h("section", { class: "empty" },
    h("h2", null, "No hosts yet"),
    h("p", null, "Three steps bring the first machine up. Run the commands on the provisioner."),
    h("ol", { class: "steps" },
      step("Add an installer and an OS image", "They are checked, signed by this site and kept.",
        "cairn installer add installer-metal.cairn\ncairn image add os-debian.cairn"),
      step("Register the machine", "By anything that you know of it: serial number, UUID, network address or its TPM's EK hash.",
        "cairn host register web-1 --serial SN12345 --image debian\ncairn host register web-2 --mac 52:54:00:12:34:56 --disk-min 20G"),
      step("Switch it on", "Let it boot from the network. Each step then shows here, with the reason when one does not work.",
        "cairn host timeline web-1 --follow")));
}
