// A page of one cluster or deployment that stays fresh: the resource by watch, its rows read again after each change.

import { all, get, path, query, watch } from "./api.js";
import { complain, go, instead, notice, setLive } from "./app.js";
import { fill, h, muted } from "./dom.js";
import { fullName, KINDS } from "./names.js";

/** Rows are also read by themselves: what hosts say changes no resource until the provisioner sums it up. */
const AGAIN = 10000;

/** `rows`: last part of their path; `draw(parts, object, rows, changed)` fills the page. Gives a function that ends it. */
export function detail(main, { kind, key, rows, home, draw }) {
  const view = { left: false, stop: () => {}, timer: 0, object: null, rows: [] };
  document.title = `${key.split(".")[0]} · Cairn`;
  const parts = { head: h("div", { class: "hosthead" }, muted("Loading…")), body: h("div") };
  fill(main, parts.head, parts.body);
  const show = () => { if (!view.left && view.object) draw(parts, view.object, view.rows, changed); };
  const changed = (object) => { if (object) view.object = object; show(); };
  const own = () => path(KINDS[kind], view.object.metadata.uid);
  const read = async () => {
    view.rows = rows ? await all(`${own()}/${rows}`) : [];
    show();
  };
  const soon = () => { view.timer ||= setTimeout(() => { view.timer = 0; read().catch(complain); }, 400); };
  const load = async () => {
    view.object = await get(path(KINDS[kind], view.object?.metadata.uid ?? key));
    await read();
    if (view.left) return;
    view.stop();
    view.stop = watch(`/api/v1/watch${query({ kinds: kind, fieldSelector: `metadata.uid=${view.object.metadata.uid}`, resourceVersion: view.object.metadata.resourceVersion })}`, {
      ADDED: (object) => { changed(object); soon(); },
      MODIFIED: (object) => { changed(object); soon(); },
      DELETED: () => { go(home); notice("warn", `${fullName(view.object)} is gone, or you may not see it any more.`); },
      lost: () => load().catch(complain),
    }, setLive);
  };
  load().catch((problem) => (view.left ? null : [404, 403, 401].includes(problem.status) ? instead(problem) : complain(problem)));
  const clock = rows ? setInterval(() => { if (view.object && !document.hidden) read().catch(() => {}); }, AGAIN) : 0;
  return () => { view.left = true; view.stop(); clearInterval(clock); clearTimeout(view.timer); };
}
