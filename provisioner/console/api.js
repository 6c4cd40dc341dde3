// Speaks to the REST API: JSON, problems as errors, pages, and live streams that come back by themselves.

class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `status ${status}`);
    this.status = status;
    this.next = body.next ?? "";
    this.errors = body.errors?.length ? body.errors : body.field ? [{ field: body.field, message: without(this.message, body.field), next: this.next }] : [];
  }
}

/** `spec.site: there is none` at that field is only: there is none. */
const without = (message, field) => (message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message);

/** Sends a request; gives its JSON, and as `etag` the version of what it tells of. */
export async function exchange(method, path, body, headers = {}) {
  const init = { method, credentials: "same-origin", headers: { Accept: "application/json", ...headers } };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new Problem(0, { detail: "The provisioner does not answer.", next: "Check that cairn serve is running." });
  }
  const text = await response.text();
  let value = {};
  try { value = text ? JSON.parse(text) : {}; } catch { value = { detail: `The answer was not understood (${response.status}).` }; }
  if (!response.ok) throw new Problem(response.status, value);
  return { value, etag: response.headers.get("etag") };
}

export const call = async (method, path, body, headers) => (await exchange(method, path, body, headers)).value;
export const get = (path) => call("GET", path);

/** Path of a kind, or of one resource of it. */
export const path = (plural, key) => `/api/v1/${plural}${key === undefined ? "" : `/${encodeURIComponent(key)}`}`;

/** `?a=b` of what is given. */
export function query(params) {
  const given = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

/** One page of resources: items, where the next begins, and the version to watch from. */
export async function list(plural, params = {}) {
  const page = await get(path(plural) + query({ limit: 100, ...params }));
  return { items: page.items, next: page.metadata.continue ?? null, version: page.metadata.resourceVersion };
}

/** All of a kind, but no more than `most`. */
export async function several(plural, params = {}, most = 500) {
  const items = [];
  let next;
  do {
    const page = await list(plural, { ...params, limit: Math.min(most, 500), continue: next });
    items.push(...page.items);
    next = page.next;
  } while (next && items.length < most);
  return { items, more: Boolean(next) };
}

/** Lines of lists with `after` (timelines, machines, images), but no more than `most`. */
export async function all(path, most = 5000, after = undefined) {
  const items = [];
  do {
    const page = await get(path + query({ limit: 500, after }));
    items.push(...page.items);
    after = page.next ?? undefined;
  } while (after !== undefined && items.length < most);
  return items;
}

/**
 * Follows an event stream. `on` maps event names to handlers of their JSON; `state` hears "live", "waiting" and "out".
 * The browser resumes by Last-Event-ID by itself. When the server refuses that, `on.lost` is asked, which reads everything anew.
 */
export function watch(path, on, state) {
  let source, timer, closed = false, delay = 1000;
  const open = () => {
    source = new EventSource(path);
    source.onopen = () => { delay = 1000; state("live"); };
    source.onerror = () => {
      if (closed) return;
      state("waiting");
      if (source.readyState !== EventSource.CLOSED) return;
      source.close();
      timer = setTimeout(again, delay);
      delay = Math.min(delay * 2, 15000);
    };
    for (const [name, handler] of Object.entries(on)) {
      source.addEventListener(name, (event) => handler(JSON.parse(event.data)));
    }
    source.addEventListener("ERROR", () => { stop(); on.lost(); });
  };
  const again = async () => {
    try {
      await get("/api/v1/session");
    } catch (problem) {
      if (problem.status === 401) { stop(); return state("out"); }
      timer = setTimeout(again, delay);
      delay = Math.min(delay * 2, 15000);
      return;
    }
    if (closed) return;
    stop();
    on.lost();
  };
  const stop = () => { closed = true; clearTimeout(timer); source.close(); };
  open();
  return stop;
}
