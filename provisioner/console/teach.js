// What a place without hosts says: how to begin.

import { h, link } from "./dom.js";
import { inside } from "./names.js";

export function teach(node) {
  if (node?.kind === "Organisation") {
    return h("section", { class: "empty" }, h("h2", null, "No hosts in this organisation"),
      h("p", null, "Hosts lie in sites of projects. Choose a project in the tree, or make one."),
      link(`/new/projects?namespace=${encodeURIComponent(inside(node))}`, "New project"));
  }
  const namespace = node ? inside(node) : "default.default";
  const site = node?.kind === "Site" ? node.metadata.name : "";
  const register = `/make/hosts?namespace=${encodeURIComponent(namespace)}${site ? `&site=${encodeURIComponent(site)}` : ""}`;
  const step = (title, text, ...more) => h("li", null, h("h3", null, title), h("p", null, text), more);
  return h("section", { class: "empty" },
    h("h2", null, node ? "No hosts here yet" : "No hosts yet"),
    h("p", null, "Three steps bring a machine up."),
    h("ol", { class: "steps" },
      step("Add an installer and an OS image", "On the provisioner; they are checked, signed by this appliance and kept.",
        h("pre", null, "cairn installer add installer-metal.cairn\ncairn image add os-debian.cairn")),
      step("Register the machine", "By anything that you know of it: serial number, UUID, network address or its TPM's EK hash.",
        link(register, "Register a host")),
      step("Switch it on", "Let it boot from the network. Each step then shows here, with the reason when one does not work.")));
}
