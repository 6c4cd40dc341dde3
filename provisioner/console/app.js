// Entry: chooses the view by path, keeps one view alive, and moves between views without reloading the page.

import { call, get } from "./api.js";
import { fill, h } from "./dom.js";
import { tick } from "./words.js";
import { showHost } from "./host.js";
import { showHosts } from "./hosts.js";
import { showLogin } from "./login.js";

const main = document.getElementById("main");
const live = document.getElementById("live");
const logout = document.getElementById("logout");
let leave = () => {};

const LIVE = { live: "Live", waiting: "Reconnecting…", none: "" };

export function setLive(state) {
  if (state === "out") return login();
  live.className = `live ${state}`;
  fill(live, LIVE[state] ? h("span", { class: "dot" }) : null, LIVE[state]);
}

/** Says what went wrong; gone after a while or on a click. */
export function complain(problem) {
  if (problem.status === 401) return login();
  const close = () => box.remove();
  const box = h("div", { class: "notice bad", role: "alert" },
    h("div", null, h("strong", null, problem.message), problem.next ? h("div", null, problem.next) : null),
    h("button", { class: "quiet", type: "button", onclick: close, "aria-label": "Dismiss" }, "×"));
  document.getElementById("notices").replaceChildren(box);
  setTimeout(close, 20000);
}

export function go(path) {
  history.pushState(null, "", path);
  route();
}

function login() {
  leave();
  leave = () => {};
  setLive("none");
  logout.hidden = true;
  showLogin(main, route);
}

async function route() {
  leave();
  leave = () => {};
  document.getElementById("notices").replaceChildren();
  setLive("none");
  try {
    await get("/api/v1/session");
  } catch (problem) {
    if (problem.status === 401) return login();
    fill(main, h("section", { class: "empty" }, h("h1", null, problem.message), h("p", null, problem.next),
      h("button", { type: "button", onclick: route }, "Try again")));
    return;
  }
  logout.hidden = false;
  const host = location.pathname.match(/^\/hosts\/([^/]+)$/);
  leave = host ? showHost(main, decodeURIComponent(host[1])) : showHosts(main);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='/']");
  if (!link || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
});
addEventListener("popstate", route);
logout.addEventListener("click", async () => {
  try { await call("DELETE", "/api/v1/session"); } catch (problem) { return complain(problem); }
  login();
});
setInterval(tick, 5000);
route();
