// Effective labels, settings and policies: each value with where it is from and what it hides.

import { code, h, link, muted, table } from "./dom.js";
import { linkTo } from "./node.js";

export function applies({ name, labels, settings, policies }) {
  const given = (rows, what) => (rows.length === 0 ? h("p", { class: "muted" }, `No ${what} here or above.`)
    : table([what === "labels" ? "Label" : "Setting", "Value", "From"], rows.map((row) => [
      code(row.key), code(row.value) ?? muted("empty"), from(row, name)]), { caption: what }));
  return h("div", { class: "applies" },
    h("h3", null, "Labels"), given(labels, "labels"),
    h("h3", null, "Settings"), given(settings, "settings"),
    policies ? [h("h3", null, "Policies"), table(["Field", "Value", "From"], policies.map((one) => [
      code(one.field), value(one.value), origin(one)]), { caption: "Policies" })] : null);
}

function from({ source, hides }, name) {
  const hidden = hides?.length ? h("span", { class: "sub" }, "instead of ", hides.map((at, i) => [i ? ", " : "", linkTo(at)])) : null;
  return [source.name === name ? "itself" : linkTo(source), hidden];
}

function origin({ origin, overrides }) {
  const said = ({ policy, at, bySelector, enforced }) => {
    if (!policy) return muted("default");
    const how = [at && at.name !== policy.name ? `at ${at.kind} ${at.name}` : "", bySelector ? "by selector" : "", enforced ? "enforced" : ""].filter(Boolean).join(", ");
    return [linkTo(policy), how ? ` (${how})` : ""];
  };
  return [said(origin), overrides?.length ? h("span", { class: "sub" }, "instead of ", overrides.map((one, i) => [i ? ", " : "", said(one)])) : null];
}

function value(given) {
  if (given === null) return muted("nobody says");
  return code(typeof given === "string" ? given : JSON.stringify(given));
}

/** The labels that a resource itself has. */
export function labels(given) {
  const all = Object.entries(given ?? {});
  return all.length ? all.map(([key, value]) => h("code", { class: "label" }, value ? `${key}=${value}` : key)) : muted("none");
}

export const editLink = (plural, key, text = "Edit") => link(`/edit/${plural}/${encodeURIComponent(key)}`, text);
