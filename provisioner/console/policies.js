// Policies: where each is bound, what it says, and which hosts it is for.

import { code, empty, fill, h, link } from "./dom.js";
import { listing, where } from "./listing.js";
import { page, pageOf } from "./names.js";
import { selectorText } from "./workloads.js";

const SECTIONS = ["boot", "image", "attestation", "update", "telemetry", "maintenance"];

export function showPolicies(main) {
  document.title = "Policies · Cairn";
  const body = h("div");
  fill(main, h("div", { class: "head" }, h("h1", null, "Policies"), h("div", { class: "actions" }, link("/new/policies", "New policy"))),
    h("p", { class: "muted" }, "What a policy touches shows when it is opened and checked. What applies to one host, and why, is on the host's page."), body);
  return listing(body, {
    kind: "Policy", head: ["Policy", "Lives in", "For", "Says", "Order"],
    row: (policy) => [link(pageOf(policy), policy.metadata.name), where(policy), target(policy), says(policy.spec), order(policy.spec)],
    empty: empty("No policies yet", "Without any, cairn.toml and the built-in defaults apply to every host. A policy changes some of that for a region, a site, one host, or for hosts with some labels.",
      link("/new/policies?namespace=default", "New policy")),
  });
}

function target(policy) {
  const { spec, metadata } = policy;
  if (spec.target) return link(page(spec.target.kind, `${spec.target.name}.${metadata.namespace}`), `${spec.target.kind} ${spec.target.name}`);
  if (spec.selector) return ["hosts with ", code(selectorText(spec.selector))];
  return metadata.namespace ? `all hosts of ${metadata.namespace}` : "all hosts";
}

function says(spec) {
  const shown = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  return SECTIONS.filter((name) => spec[name]).map((name) => h("div", null,
    Object.entries(spec[name]).map(([key, value]) => h("span", { class: "fact" }, code(`${name}.${key}`), " ", shown(value)))));
}

const order = (spec) => [spec.enforced ? h("span", { class: "badge warn" }, "enforced") : null, spec.priority ? ` priority ${spec.priority}` : null, spec.enforced || spec.priority ? null : "normal"];
