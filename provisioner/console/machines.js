// Machines that knocked and are nobody's, and the rules that say where such machines go and how models are treated.

import { all } from "./api.js";
import { complain } from "./app.js";
import { code, empty, fill, h, link, muted, table } from "./dom.js";
import { listing } from "./listing.js";
import { page, pageOf } from "./names.js";
import { since } from "./words.js";

export function showMachines(main) {
  document.title = "Machines · Cairn";
  const parts = { machines: h("div"), rules: h("div"), profiles: h("div") };
  const view = { left: false, timer: 0 };
  fill(main, h("div", { class: "head" }, h("h1", null, "Machines that knocked")), parts.machines,
    h("div", { class: "head later" }, h("h2", null, "Claim rules"), h("div", { class: "actions" }, link("/new/claimrules", "New claim rule"))), parts.rules,
    h("div", { class: "head later" }, h("h2", null, "Firmware profiles"), h("div", { class: "actions" }, link("/new/firmwareprofiles", "New firmware profile"))), parts.profiles);
  const read = () => machines(view, parts.machines).catch((problem) => {
    if (view.left) return;
    if (problem.status === 403) clearInterval(timer);
    if (problem.status === 403) fill(parts.machines, h("p", { class: "muted" }, `${problem.message} ${problem.next}`));
    else complain(problem);
  });
  // They are no resources, so no watch tells of them.
  const timer = setInterval(read, 5000);
  read();
  const stops = [listing(parts.rules, RULES), listing(parts.profiles, PROFILES)];
  return () => { view.left = true; clearInterval(timer); for (const stop of stops) stop(); };
}

async function machines(view, parent) {
  const found = await all("/api/v1/machines", 500);
  if (view.left) return;
  if (found.length === 0) return fill(parent, empty("No unknown machine", "Machines that ask for a boot file and match no host show here. An unknown machine gets the installer to prove itself, and nothing else."));
  fill(parent, h("p", { class: "muted" }, "They asked for a boot file and match no host. An unknown machine gets the installer to prove itself, and nothing else."),
    table(["Address", "First", "Last", "Last step", ""], found.map((m) => [code(m.mac), since(m.first), since(m.at), h("div", { class: "why" }, m.text),
      link(`/make/hosts?mac=${encodeURIComponent(m.mac)}`, "Register")]), { caption: "Unknown machines" }));
}

const pairs = (match) => Object.entries(match).map(([key, value]) => h("span", { class: "fact" }, code(key), ` ${value}`));

const RULES = {
  kind: "ClaimRule", head: ["Rule", "Machines", "Go to", "And"],
  row: ({ metadata, spec, ...rest }) => [link(pageOf({ ...rest, metadata, spec }), metadata.name), pairs(spec.match),
    link(page("Site", `${spec.site}.${metadata.namespace}`), `${spec.site}.${metadata.namespace}`),
    [spec.accept ? "are let in at once" : "wait for a person", spec.priority ? muted(`, priority ${spec.priority}`) : null]],
  empty: h("p", { class: "muted" }, "No claim rules. A rule puts proven machines that nobody registered into a site, by serial number, address, maker or product."),
};

const PROFILES = {
  kind: "FirmwareProfile", head: ["Profile", "Machines", "Special"],
  row: (profile) => [link(pageOf(profile), profile.metadata.name), pairs(profile.spec.match), pairs(profile.spec.quirks)],
  empty: h("p", { class: "muted" }, "No firmware profiles. One tells what is special about a model, such as a power-on self-test that takes five minutes."),
};
