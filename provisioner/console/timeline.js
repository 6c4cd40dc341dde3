// The timeline, newest first: when, how long after the step before, what, and the state that it led to.

import { h, icon } from "./dom.js";
import { badge, clock, day, duration, LEVELS } from "./words.js";

const SHOWN = 400;

export function entries(all, none = "Nothing happened yet. Switch the machine on and let it boot from the network.") {
  if (all.length === 0) return [h("h2", null, "Timeline"), h("p", { class: "muted" }, none)];
  const items = [];
  let today = "";
  const from = Math.max(0, all.length - SHOWN);
  for (let i = all.length - 1; i >= from; i -= 1) {
    const date = day(all[i].at);
    if (date !== today) items.push(h("li", { class: "day" }, date));
    today = date;
    items.push(item(all[i], all[i - 1]));
  }
  const hidden = from > 0 ? h("p", { class: "muted" }, `${from} older steps: cairn timeline NAME`) : null;
  return [h("h2", null, "Timeline"), h("ol", { class: "entries" }, items), hidden].filter(Boolean);
}

function item(entry, before) {
  const level = LEVELS[entry.level] ?? LEVELS.info;
  const gap = before && entry.at - before.at >= 100 && entry.at - before.at < 86400000 ? `+${duration(entry.at - before.at)}` : "";
  return h("li", { class: `entry ${level.tone}` },
    h("span", { class: "mark" }, icon(level.path), level.word ? h("span", { class: "sr" }, level.word) : null),
    h("span", { class: "when" }, h("time", { datetime: new Date(entry.at).toISOString() }, clock(entry.at)), h("span", { class: "gap" }, gap)),
    h("span", { class: "what" }, entry.text, " ", entry.state ? badge(entry.state) : null),
    h("code", { class: "code" }, entry.code));
}
