// States, levels, times and sizes as people read them. Colour never stands alone: each state has an icon and a word.

import { h, icon } from "./dom.js";

export const STATES = {
  "pending": { tone: "ask", path: "M6 6a2 2 0 1 1 2.8 1.8c-.6.3-.8.7-.8 1.4M8 11.5v.1", hint: "waits for you to accept it" },
  "registered": { tone: "idle", path: "M4.5 2.5h7v11L8 11l-3.5 2.5z", hint: "is expected; not seen yet" },
  "booting": { tone: "busy", path: "M8 2.5v5M4.8 4.6a5 5 0 1 0 6.4 0", hint: "boots from the network" },
  "attesting": { tone: "busy", path: "M8 2l5 2v4c0 3-2 5-5 6-3-1-5-3-5-6V4z", hint: "proves what it is" },
  "installing": { tone: "busy", path: "M8 2.5v7M5 7l3 3 3-3M3 13h10", hint: "writes its disk" },
  "first boot": { tone: "busy", path: "M12.7 6A5 5 0 1 0 13 8.6M13 3v3.2H9.8", hint: "starts its installed system" },
  "running": { tone: "good", path: "M3.5 8.5l3 3 6-7", hint: "proved itself and reports" },
  "silent": { tone: "warn", path: "M2.5 6a8 8 0 0 1 8-2M5 9a5 5 0 0 1 3-1M8 12v.1M3 3l10 10", hint: "stopped reporting" },
  "quarantined": { tone: "bad", path: "M4 7.5h8v6H4zM5.5 7.5v-2a2.5 2.5 0 0 1 5 0v2", hint: "showed evidence that did not hold" },
  "retiring": { tone: "warn", path: "M3 4.5h10M5 4.5v9h6v-9M6.5 2.5h3", hint: "wipes its disk at its next network boot" },
  "wiping": { tone: "warn", path: "M3 4.5h10M5 4.5v9h6v-9M6.5 2.5h3", hint: "wipes its disk" },
  "retired": { tone: "idle", path: "M3 4.5h10v3H3zM4 7.5v6h8v-6M6.5 9.5h3", hint: "proved that its disk is wiped" },
  "failed": { tone: "bad", path: "M4 4l8 8M12 4l-8 8", hint: "cannot go on by itself" },
};

/** Of clusters, deployments and their parts. */
const PHASES = {
  "Waiting": { tone: "idle", path: "M8 4v4l3 2M8 2.5a5.5 5.5 0 1 0 .1 0", hint: "" },
  "Progressing": { tone: "busy", path: "M12.7 6A5 5 0 1 0 13 8.6M13 3v3.2H9.8", hint: "" },
  "Ready": { tone: "good", path: "M3.5 8.5l3 3 6-7", hint: "" },
  "Degraded": { tone: "warn", path: "M8 3l6 10H2zM8 7v3M8 11.5v.1", hint: "" },
  "Failed": { tone: "bad", path: "M4 4l8 8M12 4l-8 8", hint: "" },
  "Paused": { tone: "ask", path: "M6 4v8M10 4v8", hint: "" },
  "Removing": { tone: "busy", path: "M3 4.5h10M5 4.5v9h6v-9M6.5 2.5h3", hint: "" },
  "Removed": { tone: "idle", path: "M3 4.5h10M5 4.5v9h6v-9M6.5 2.5h3", hint: "" },
};

const UNKNOWN = { tone: "idle", path: "M3 8h10", hint: "" };

export function stateOf(word) {
  return STATES[word] ?? PHASES[word] ?? UNKNOWN;
}

export function badge(word) {
  const { tone, path } = stateOf(word);
  return h("span", { class: `badge ${tone}` }, icon(path), word);
}

export const LEVELS = {
  info: { tone: "idle", path: "M8 7.9v.2", word: "" },
  good: { tone: "good", path: "M3.5 8.5l3 3 6-7", word: "good" },
  warn: { tone: "warn", path: "M8 4v5M8 11.8v.1", word: "warning" },
  bad: { tone: "bad", path: "M4 4l8 8M12 4l-8 8", word: "bad" },
};

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export function ago(millis, now = Date.now()) {
  const seconds = Math.round((millis - now) / 1000);
  if (Math.abs(seconds) < 5) return "just now";
  const [unit, size] = UNITS.find(([, s]) => Math.abs(seconds) >= s);
  return relative.format(Math.trunc(seconds / size), unit);
}

export function duration(millis) {
  const s = Math.max(0, millis) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5400) return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
  return `${Math.round(s / 86400)} days`;
}

export function bytes(n) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let i = 0;
  while (n >= 1000 && i < units.length - 1) { n /= 1000; i += 1; }
  return `${n >= 100 || i === 0 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}

export function memory(n) {
  const gib = n / 2 ** 30;
  return gib >= 1 ? `${Number(gib.toFixed(1))} GiB` : `${Math.round(n / 2 ** 20)} MiB`;
}

export function clock(millis) {
  return new Date(millis).toLocaleTimeString("en-GB");
}

export function day(millis) {
  return new Date(millis).toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric" });
}

/** A `<time>` that `tick` keeps fresh. */
export function since(millis) {
  const at = new Date(millis);
  return h("time", { datetime: at.toISOString(), title: at.toLocaleString("en-GB"), "data-ago": millis }, ago(millis));
}

export function tick(root = document) {
  const now = Date.now();
  for (const node of root.querySelectorAll("time[data-ago]")) node.textContent = ago(Number(node.dataset.ago), now);
}
