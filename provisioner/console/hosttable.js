// A page of hosts that stays fresh: a cursor forwards and back, and changes as they happen. Never all hosts at once.

import { list, query, watch } from "./api.js";
import { complain, setLive } from "./app.js";
import { button, fill, h, link, muted, table } from "./dom.js";
import { pageOf } from "./names.js";
import { badge, since, stateOf } from "./words.js";

const PAGE = 100;

/** `filter` gives the query's parameters; `onFirst` is told how many there are on the first page, and whether there are more. */
export function hostTable(parent, { filter, empty, onFirst }) {
  const view = { rows: new Map(), next: null, before: [], here: undefined, stop: () => {}, timer: 0, asked: 0, left: false };

  async function read(here, before) {
    view.stop();
    const mine = view.asked += 1;
    const params = filter();
    parent.setAttribute("aria-busy", "true");
    const page = await list("hosts", { ...params, limit: PAGE, continue: here });
    if (view.left || mine !== view.asked) return;
    Object.assign(view, { rows: new Map(page.items.map((host) => [host.metadata.uid, host])), next: page.next, here, before });
    parent.removeAttribute("aria-busy");
    draw();
    follow(params, page.version);
  }

  function follow(params, version) {
    view.stop = watch(`/api/v1/watch${query({ ...params, kinds: "Host", resourceVersion: version })}`, {
      ADDED: (host) => { if (belongs(host)) set(host); },
      MODIFIED: (host) => { if (view.rows.has(host.metadata.uid)) set(host); },
      DELETED: (host) => { if (view.rows.delete(host.metadata.uid)) later(); },
      lost: () => again(),
    }, setLive);
  }

  const set = (host) => { view.rows.set(host.metadata.uid, host); later(); };

  /** What comes new is shown when it lies on this page. */
  function belongs(host) {
    if (view.rows.has(host.metadata.uid)) return true;
    const keys = [...view.rows.values()].map(key).sort();
    const fromHere = view.before.length === 0 || (keys.length > 0 && key(host) > keys[0]);
    return fromHere && (view.next === null || (keys.length > 0 && key(host) < keys.at(-1)));
  }

  /** Many change at once while a rack boots: drawn at most four times a second. */
  function later() {
    view.timer ||= setTimeout(() => { view.timer = 0; draw(); }, 250);
  }

  function draw() {
    if (view.left) return;
    const hosts = [...view.rows.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
    if (view.before.length === 0) onFirst?.(hosts, view.next !== null);
    if (hosts.length === 0) return fill(parent, empty());
    fill(parent, table(["Host", "State", "Why", "Image", "Changed", "TPM"], hosts.map(row), { caption: "Hosts" }), pager(hosts.length));
  }

  function pager(shown) {
    if (view.before.length === 0 && view.next === null) return h("p", { class: "muted pager" }, `${shown} ${shown === 1 ? "host" : "hosts"}`);
    const turn = (here, before) => read(here, before).then(() => parent.scrollIntoView({ block: "nearest" })).catch(complain);
    const from = view.before.length * PAGE;
    return h("nav", { class: "pager", "aria-label": "Pages of hosts" },
      button("‹ Before", () => turn(view.before.at(-1), view.before.slice(0, -1)), { id: "pager-before", disabled: view.before.length === 0 }),
      muted(`${from + 1} to ${from + shown}`),
      button("Next ›", () => turn(view.next, [...view.before, view.here]), { id: "pager-next", disabled: view.next === null }));
  }

  const again = () => read(view.here, view.before).catch((problem) => (view.left ? null : complain(problem)));
  const leave = () => { view.left = true; view.stop(); clearTimeout(view.timer); };
  return { start: () => read(undefined, []), leave };
}

/** The order of lists. */
const key = (host) => `${host.metadata.namespace} ${host.metadata.name}`;

function row(host) {
  const { spec, status } = host;
  const { tone, hint } = stateOf(status.phase);
  const why = status.why ? [h("span", { class: "line" }, status.why), h("span", { class: "sub" }, status.next)] : muted(hint);
  const image = status.installed ? `${status.installed.image} ${status.installed.version}` : spec.image ?? muted("by policy");
  return { tone, cells: [
    [link(pageOf(host), host.metadata.name), h("span", { class: "sub" }, [spec.site, host.metadata.namespace].filter(Boolean).join("."),
      status.serial ? ` · ${status.serial}` : "")],
    [badge(status.phase), status.attempt > 1 ? h("span", { class: "sub" }, `attempt ${status.attempt}`) : null],
    h("div", { class: "why" }, why), image, since(Date.parse(status.since)), tpm(status.tpm),
  ] };
}

function tpm(seen) {
  if (!seen) return muted("not seen");
  const proven = seen.ek ? "proven" : "not proven";
  return seen.manufacturer ? [seen.manufacturer, h("span", { class: "sub" }, [seen.class, proven].filter(Boolean).join(", "))] : proven;
}
