// Speaks to the REST API: JSON, problems as errors, and one live stream that comes back by itself.

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `status ${status}`);
    this.status = status;
    this.next = body.next ?? "";
  }
}

export async function call(method, path, body) {
  const init = { method, credentials: "same-origin", headers: { Accept: "application/json" } };
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
  try { value = text ? JSON.parse(text) : {}; } catch { value = { detail: `unexpected answer (${response.status})` }; }
  if (!response.ok) throw new Problem(response.status, value);
  return value;
}

export const get = (path) => call("GET", path);

/** All pages of a list, at most `most` items. */
export async function all(path, most = 5000) {
  const items = [];
  let after = null;
  do {
    const query = new URLSearchParams({ limit: "500" });
    if (after !== null) query.set("after", after);
    const page = await get(`${path}?${query}`);
    items.push(...page.items);
    after = page.next;
  } while (after !== null && after !== undefined && items.length < most);
  return items;
}

/**
 * Follows an event stream. `on` maps event names to handlers of their JSON; `state` hears "live", "waiting" and "out".
 * The browser resumes by Last-Event-ID by itself; when it gave up, this asks again, unless the session ended.
 */
export function watch(path, on, state) {
  let source, timer, last = null, closed = false, delay = 1000;
  const open = () => {
    source = new EventSource(last === null ? path : `${path}${path.includes("?") ? "&" : "?"}after=${last}`);
    source.onopen = () => { delay = 1000; state("live"); };
    source.onerror = () => {
      if (closed) return;
      state("waiting");
      if (source.readyState === EventSource.CLOSED) {
        source.close();
        timer = setTimeout(again, delay);
        delay = Math.min(delay * 2, 15000);
      }
    };
    for (const [name, handler] of Object.entries(on)) {
      source.addEventListener(name, (event) => {
        if (event.lastEventId) last = event.lastEventId;
        handler(JSON.parse(event.data));
      });
    }
  };
  const again = async () => {
    try {
      await get("/api/v1/session");
    } catch (problem) {
      if (problem.status === 401) return state("out");
    }
    if (!closed) open();
  };
  open();
  return () => { closed = true; clearTimeout(timer); source.close(); };
}
