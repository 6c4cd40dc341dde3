// Where in a JSON text a field stands, so that an error can be shown at it: `spec.windows[0].start` -> offset and line.

/** Offsets of all fields by their path, as far as the text can be read. */
function offsets(text) {
  const found = new Map();
  let at = 0;
  const space = () => { while (/\s/.test(text[at] ?? "")) at += 1; };
  const string = () => {
    const from = at;
    at += 1;
    while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
    at += 1;
    try { return JSON.parse(text.slice(from, at)); } catch { return ""; }
  };
  const value = (path, depth) => {
    space();
    if (depth > 64) { at = text.length; return; }
    if (text[at] === "{" || text[at] === "[") return members(path, depth, text[at] === "{");
    if (text[at] === '"') { string(); return; }
    while (at < text.length && !/[,\]}\s]/.test(text[at])) at += 1;
  };
  const members = (path, depth, named) => {
    at += 1;
    for (let i = 0; at < text.length; i += 1) {
      space();
      if (text[at] === "}" || text[at] === "]") { at += 1; return; }
      const from = at;
      const key = named ? string() : String(i);
      const here = path ? `${path}.${key}` : key;
      found.set(here, from);
      if (named) { space(); at += 1; }
      value(here, depth + 1);
      space();
      if (text[at] === ",") at += 1;
    }
  };
  value("", 0);
  return found;
}

/** `{offset, line}` of a field, or of the nearest one around it that stands in the text. */
export function locate(text, field) {
  const found = offsets(text);
  const path = field.replace(/\[(\d+)\]/g, ".$1").replace(/\[["']?([^\]"']+)["']?\]/g, ".$1").split(".");
  while (path.length > 0) {
    const offset = found.get(path.join("."));
    if (offset !== undefined) return { offset, line: lineOf(text, offset) };
    path.pop();
  }
  return { offset: 0, line: 1 };
}

const lineOf = (text, offset) => text.slice(0, offset).split("\n").length;

/** Where a JSON parser stopped, from its message; browsers name a position or a line. */
export function stopped(text, message) {
  const position = message.match(/position (\d+)/);
  if (position) return { offset: Number(position[1]), line: lineOf(text, Number(position[1])) };
  const line = message.match(/line (\d+)/);
  if (!line) return { offset: text.length, line: lineOf(text, text.length) };
  const offset = text.split("\n").slice(0, Number(line[1]) - 1).join("\n").length;
  return { offset, line: Number(line[1]) };
}
