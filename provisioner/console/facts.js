// What was registered and what the host says it is made of.

import { h } from "./dom.js";
import { bytes, memory, since } from "./words.js";

export function facts(host) {
  const { spec, inventory } = host;
  return [
    group("Registered", [
      ["Name", spec.name], ["Serial", spec.serial], ["UUID", mono(spec.uuid)], ["Addresses", list(spec.macs, mono)],
      ["EK", mono(short(spec.ek))], ["Image", spec.image ?? "the site's default"], ["Disk", selector(spec.disk)],
      ["Since", since(host.created)], ["Id", mono(host.id)],
    ]),
    group("Proven", [["TPM key (EK)", host.ek ? mono(short(host.ek)) : null], ["Disk holds", holds(host.installed)]]),
    ...(inventory ? parts(inventory) : [h("p", { class: "muted" }, "What it is made of shows after its first boot of the installer.")]),
  ];
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
    disk.serial && `serial ${disk.serial}`, disk.min_size && `at least ${bytes(disk.min_size)}`,
    disk.max_size && `at most ${bytes(disk.max_size)}`, disk.transports?.length && disk.transports.join(" or "),
  ].filter(Boolean);
  return rules.length ? rules.join(", ") : "any but USB and removable ones";
}
