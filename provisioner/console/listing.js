// A list of one kind, a page at a time, that is drawn again when something of that kind changes.

import { list, query, watch } from "./api.js";
import { complain, instead, setLive } from "./app.js";
import { button, fill, h, muted, table } from "./dom.js";
import { KINDS } from "./names.js";

const PAGE = 100;

/** `head` and `row` make the table, `empty` what stands there when there is nothing. Gives a function that ends it. */
export function listing(parent, { kind, params = {}, head, row, empty }) {
  const view = { before: [], here: undefined, left: false, stop: () => {}, timer: 0, asked: 0 };
  const read = async (here, before) => {
    const mine = view.asked += 1;
    const page = await list(KINDS[kind], { ...params, limit: PAGE, continue: here });
    if (view.left || mine !== view.asked) return;
    Object.assign(view, { here, before });
    draw(page);
    view.stop();
    const change = () => { view.timer ||= setTimeout(() => { view.timer = 0; again(); }, 500); };
    view.stop = watch(`/api/v1/watch${query({ ...params, kinds: kind, resourceVersion: page.version })}`,
      { ADDED: change, MODIFIED: change, DELETED: change, lost: again }, setLive);
  };
  const again = () => { if (!view.left) read(view.here, view.before).catch(complain); };
  const draw = ({ items, next }) => {
    if (items.length === 0 && view.before.length === 0) return fill(parent, typeof empty === "function" ? empty() : empty);
    const turn = (here, before) => read(here, before).catch(complain);
    const one = view.before.length === 0 && next === null;
    const from = view.before.length * PAGE;
    fill(parent, table(head, items.map(row)), one ? null : h("nav", { class: "pager", "aria-label": "Pages" },
      button("‹ Before", () => turn(view.before.at(-1), view.before.slice(0, -1)), { disabled: view.before.length === 0 }),
      muted(`${from + 1} to ${from + items.length}`), button("Next ›", () => turn(next, [...view.before, view.here]), { disabled: next === null })));
  };
  fill(parent, h("p", { class: "muted" }, "Loading…"));
  read(undefined, []).catch((problem) => (view.left ? null : problem.status === 401 || problem.status === 0 ? complain(problem) : instead(problem)));
  return () => { view.left = true; view.stop(); clearTimeout(view.timer); };
}

export const where = (object) => (object.metadata.namespace ? object.metadata.namespace : muted("appliance"));
