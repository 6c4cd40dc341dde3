// The filter box: labels as the command line writes them, and a few words for fields.
//
//   env=prod,tier in (web,db),!spare     effective labels
//   till-7                               the host of this name
//   serial:CN7792 image:debian has:gpu   fields; `has:` asks that a label exists

const FIELDS = { name: "metadata.name", serial: "spec.serial", uuid: "spec.uuid", site: "spec.site", image: "spec.image" };

/** `{labelSelector, fieldSelector}` of what was typed, and the phase beside it. */
export function parse(text, phase) {
  const fields = phase ? [`status.phase=${phase}`] : [];
  const labels = [];
  const rest = text.replace(/(^|[\s,])(name|serial|uuid|site|image|has):([^\s,]+)/g, (_, before, word, value) => {
    if (word === "has") labels.push(value);
    else fields.push(`${FIELDS[word]}=${value.replace(/[\\,=]/g, "\\$&")}`);
    return before;
  }).trim().replace(/^,+|,+$/g, "").trim();
  if (/^[a-z0-9][a-z0-9-]*(\.[a-z0-9.-]+)?$/.test(rest)) fields.push(`metadata.name=${rest.split(".")[0]}`);
  else if (rest) labels.push(rest);
  return { labelSelector: labels.join(","), fieldSelector: fields.join(",") };
}

export const HINT = "env=prod, tier in (web,db) … or name, serial:…";
