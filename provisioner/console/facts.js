// What was registered and what the host says it is made of.

import { labels } from "./applies.js";
import { h, link } from "./dom.js";
import { fullName, page } from "./names.js";
import { bytes, memory, since } from "./words.js";

export function facts(host) {
  const { spec, status, metadata } = host;
  const { inventory } = status;
  return [
    group("Registered", [
      ["Name", fullName(host)], ["Site", spec.site ? link(page("Site", `${spec.site}.${metadata.namespace}`), spec.site) : null], ["Labels", labels(metadata.labels)],
      ["Serial", spec.serial], ["UUID", mono(spec.uuid)], ["Addresses", list(spec.macs, mono)],
      ["EK", mono(short(spec.ek))], ["Image", spec.image ?? "by policy"], ["Disk", selector(spec.disk ?? {})],
      ["Since", since(Date.parse(metadata.creationTimestamp))], ["Id", mono(metadata.uid)],
    ]),
    group("Proven", [["TPM key (EK)", status.tpm?.ek ? mono(short(status.tpm.ek)) : null], ["TPM class", status.tpm?.class], ["Disk holds", holds(status.installed)]]),
    conditions(status.conditions),
    ...(inventory ? parts(inventory) : [h("p", { class: "muted" }, "What it is made of shows after its first boot of the installer.")]),
  ];
}

function conditions(all) {
  if (!all?.length) return null;
  const mark = { True: ["good", "yes"], False: ["idle", "no"], Unknown: ["warn", "unknown"] };
  return group("Conditions", all.map((one) => {
    const [tone, word] = mark[one.status] ?? mark.Unknown;
    return [one.type, [h("span", { class: `badge ${tone}` }, word), " ", one.message, one.lastTransitionTime ? [", ", since(Date.parse(one.lastTransitionTime))] : null]];
  }));
}

function parts(inv) {
  const tpm = inv.tpm ? `${inv.tpm.manufacturer}, firmware ${version(inv.tpm.firmware_version)}` : "none";
  return [
    group("Machine", [
      ["Maker", inv.smbios.vendor], ["Product", inv.smbios.product], ["Serial", inv.smbios.serial], ["UUID", mono(inv.smbios.uuid)],
      ["Firmware", [inv.firmware.toUpperCase(), inv.smbios.bios_version].filter(Boolean).join(", ")],
      ["CPU", inv.cpu_model ? `${inv.cpu_count} × ${inv.cpu_model}` : null], ["Memory", inv.memory ? memory(inv.memory) : null],
      ["TPM", tpm], ["Kernel", inv.kernel],
    ]),
    group("Disks", inv.disks.map((d) => [d.name, [bytes(d.size), d.transport, d.model, d.serial && `serial ${d.serial}`, d.removable && "removable"]
      .filter(Boolean).join(", ")])),
    group("Network", inv.nics.map((n) => [n.name, [mono(n.mac), " ", [n.speed_mbps && `${n.speed_mbps} Mbit/s`, n.driver, n.carrier ? "link" : "no link"]
      .filter(Boolean).join(", ")]])),
  ];
}

function group(title, rows) {
  const given = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (given.length === 0) return null;
  return h("section", null, h("h2", null, title),
    h("dl", null, given.map(([key, value]) => [h("dt", null, key), h("dd", null, value)])));
}

const mono = (text) => (text ? h("code", null, text) : null);
const list = (items, as) => (items?.length ? items.map((item) => h("div", null, as(item))) : null);
const short = (digest) => (digest ? `${digest.slice(0, 16)}…` : null);
const holds = (installed) => (installed ? `${installed.image} ${installed.version}` : null);

/** TPM_PT_FIRMWARE_VERSION_1 and _2; larger than a JavaScript integer, so only the first half is shown when it is. */
function version(n) {
  const high = Math.floor(n / 2 ** 32);
  return `${Math.floor(high / 65536)}.${high % 65536}`;
}

function selector(disk) {
  const rules = [
    disk.serial && `serial ${disk.serial}`, disk.minSize && `at least ${bytes(disk.minSize)}`,
    disk.maxSize && `at most ${bytes(disk.maxSize)}`, disk.transports?.length && disk.transports.join(" or "),
  ].filter(Boolean);
  return rules.length ? rules.join(", ") : "any but USB and removable ones";
}
