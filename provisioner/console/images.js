// OS images and installers. They come in by the command line, which checks and signs them.

import { all } from "./api.js";
import { complain } from "./app.js";
import { code, empty, fill, h, table } from "./dom.js";
import { bytes, since } from "./words.js";

export function showImages(main) {
  document.title = "Images · Cairn";
  const view = { left: false };
  const parts = { images: h("div"), installers: h("div") };
  fill(main, h("div", { class: "head" }, h("h1", null, "OS images")), parts.images, h("div", { class: "head later" }, h("h2", null, "Installers")), parts.installers);
  const read = async () => {
    const [images, installers] = await Promise.all([all("/api/v1/images", 1000), all("/api/v1/installers", 1000)]);
    if (view.left) return;
    fill(parts.images, images.length ? table(["Image", "System", "Size", "SHA-256", "Added", "Good until"], images.map((i) => [
      `${i.name} ${i.version}`, i.os_version, bytes(i.size), code(short(i.sha256)), since(i.created), until(i.expires)]), { caption: "OS images" })
      : empty("No OS image yet", "Without one nothing can be installed. Add one on the provisioner; it is checked and signed by this appliance.", h("pre", null, "cairn image add os-debian.cairn")));
    fill(parts.installers, installers.length ? table(["Installer", "Use", "SHA-256", "Composed"], installers.map((i) => [
      `${i.name} ${i.version}`, h("span", { class: `badge ${i.standing === "active" ? "good" : "idle"}` }, String(i.standing)), code(short(i.sha256)), since(i.created)]), { caption: "Installers" })
      : empty("No installer yet", "Without one, machines that boot get no file.", h("pre", null, "cairn installer add installer-metal.cairn")));
  };
  read().catch(complain);
  return () => { view.left = true; };
}

const short = (digest) => `${digest.slice(0, 16)}…`;
const until = (at) => (at < Date.now() ? h("span", { class: "badge bad" }, "expired ", since(at)) : since(at));
