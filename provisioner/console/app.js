// Entry: chooses the view by path, keeps one view alive, and moves between views without reloading the page.

import { call, get } from "./api.js";
import { showAccess } from "./access.js";
import { showAudit } from "./audit.js";
import { showCluster, showClusters } from "./clusters.js";
import { showDeploy } from "./deploy.js";
import { showDeployment, showDeployments } from "./deployments.js";
import { button, fill, h } from "./dom.js";
import { showEdit, showNew } from "./edit.js";
import { showHost } from "./host.js";
import { showHosts } from "./hosts.js";
import { showImages } from "./images.js";
import { showLogin, showNobody } from "./login.js";
import { showMachines } from "./machines.js";
import { showMake } from "./make.js";
import { showPackage, showPackages, showSecrets } from "./packages.js";
import { showPolicies } from "./policies.js";
import { showStatus } from "./status.js";
import { tick } from "./words.js";

const main = document.getElementById("main");
const live = document.getElementById("live");
const nav = document.getElementById("nav");
const who = document.getElementById("who");
let leave = () => {};

/** Who is logged in, by `/whoami`. */
export let me = null;

const LIVE = { live: "Live", waiting: "Reconnecting…", none: "" };
const PAGES = [["/", "Hosts"], ["/clusters", "Clusters"], ["/packages", "Packages"], ["/deployments", "Deployments"], ["/machines", "Machines"], ["/policies", "Policies"], ["/images", "Images"],
  ["/access", "Access"], ["/audit", "Audit"], ["/status", "Status"]];

/** Under which page the editor of a kind belongs. */
const SECTIONS = { policies: "/policies", claimrules: "/machines", firmwareprofiles: "/machines", osimages: "/images", users: "/access", roles: "/access", rolebindings: "/access", tokens: "/access",
  clusters: "/clusters", clustertemplates: "/clusters", distributions: "/clusters", packages: "/packages", secrets: "/packages", deployments: "/deployments" };

/** Pages that are tabs of another. */
const TABS = { "/templates": "/clusters", "/distributions": "/clusters", "/secrets": "/packages" };

/** Path, view. What the parentheses find is handed over decoded. */
const VIEWS = [
  [/^\/$/, () => showHosts(main)],
  [/^\/at\/([a-z]+)\/([^/]+)$/, (plural, key) => showHosts(main, plural, key)],
  [/^\/hosts\/([^/]+)$/, (key) => showHost(main, key)],
  [/^\/edit\/([a-z]+)\/([^/]+)$/, (plural, key) => showEdit(main, plural, key)],
  [/^\/new\/([a-z]+)$/, (plural) => showNew(main, plural)],
  [/^\/make\/deployments$/, () => showDeploy(main)],
  [/^\/make\/([a-z]+)$/, (plural) => showMake(main, plural)],
  [/^\/clusters$/, () => showClusters(main, "/clusters")],
  [/^\/templates$/, () => showClusters(main, "/templates")],
  [/^\/distributions$/, () => showClusters(main, "/distributions")],
  [/^\/clusters\/([^/]+)$/, (key) => showCluster(main, key)],
  [/^\/packages$/, () => showPackages(main)],
  [/^\/packages\/([^/]+)$/, (key) => showPackage(main, key)],
  [/^\/secrets$/, () => showSecrets(main)],
  [/^\/deployments$/, () => showDeployments(main)],
  [/^\/deployments\/([^/]+)$/, (key) => showDeployment(main, key)],
  [/^\/machines$/, () => showMachines(main)],
  [/^\/policies$/, () => showPolicies(main)],
  [/^\/images$/, () => showImages(main)],
  [/^\/access(?:\/([a-z]+))?$/, (tab) => showAccess(main, tab)],
  [/^\/audit$/, () => showAudit(main)],
  [/^\/status$/, () => showStatus(main)],
];

export function setLive(state) {
  if (state === "out") return login();
  live.className = `live ${state}`;
  fill(live, LIVE[state] ? h("span", { class: "dot" }) : null, LIVE[state]);
}

/** Says what went wrong; gone after a while or on a click. */
export function complain(problem) {
  if (problem.status === 401) return login();
  notice("bad", problem.message, problem.next);
}

export function notice(tone, text, next) {
  const close = () => box.remove();
  const box = h("div", { class: `notice ${tone}`, role: "alert" },
    h("div", null, h("strong", null, text), next ? h("div", null, next) : null),
    button("×", close, { class: "quiet", "aria-label": "Dismiss" }));
  document.getElementById("notices").replaceChildren(box);
  setTimeout(close, 20000);
}

/** In place of a page that cannot be shown. */
export function instead(problem) {
  if (problem.status === 401) return login();
  fill(main, h("section", { class: "empty" }, h("h1", null, problem.status === 403 ? "That is not for you to see" : problem.message),
    problem.status === 403 ? h("p", null, problem.message) : null,
    h("p", null, problem.next), h("a", { href: "/" }, "All hosts")));
}

export function go(path) {
  history.pushState(null, "", path);
  route();
}

function login() {
  leave();
  leave = () => {};
  me = null;
  setLive("none");
  nav.hidden = who.hidden = true;
  showLogin(main, route);
}

async function route() {
  leave();
  leave = () => {};
  document.getElementById("notices").replaceChildren();
  setLive("none");
  try {
    me = await get("/api/v1/whoami");
  } catch (problem) {
    if (problem.status === 401) return login();
    fill(main, h("section", { class: "empty" }, h("h1", null, problem.message), h("p", null, problem.next), button("Try again", route)));
    return;
  }
  frame();
  if (me.bindings.length === 0 && me.kind !== "setup") return showNobody(main, me);
  const found = VIEWS.map(([pattern, view]) => [location.pathname.match(pattern), view]).find(([match]) => match);
  if (!found) return instead({ status: 404, message: "There is no such page.", next: "" });
  const [match, view] = found;
  let parts;
  try { parts = match.slice(1).map((part) => part && decodeURIComponent(part)); } catch { return instead({ status: 404, message: "There is no such page.", next: "" }); }
  leave = view(...parts) ?? (() => {});
}

function frame() {
  const first = `/${location.pathname.split("/")[1]}`;
  const [, , plural] = location.pathname.split("/");
  const here = ["/edit", "/new", "/make"].includes(first) ? SECTIONS[plural] ?? "/" : ["/at", "/hosts"].includes(first) ? "/" : TABS[first] ?? first;
  fill(nav, PAGES.map(([href, text]) => h("a", { href, "aria-current": href === here ? "page" : null }, text)));
  const roles = me.bindings.map((b) => `${b.role} ${b.at ? `at ${b.at.name}` : "of the appliance"}`).join("\n");
  fill(who, h("span", { class: "me", title: roles }, me.name), button("Log out", logOut, { class: "quiet", id: "logout" }));
  nav.hidden = who.hidden = false;
}

async function logOut() {
  try { await call("DELETE", "/api/v1/session"); } catch (problem) { return complain(problem); }
  login();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='/']");
  if (!link || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (link.getAttribute("href").startsWith("/api/")) return;
  event.preventDefault();
  go(link.getAttribute("href"));
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
});
addEventListener("popstate", route);
setInterval(tick, 5000);
route();
