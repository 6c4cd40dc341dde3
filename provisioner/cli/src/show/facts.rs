//! One host in full, for `cairn host show`.

use cairn_contract::{Inventory, inventory::Transport};
use cairn_domain::{fact::plain, model::DiskFields, timeline::Phase};
use serde_json::Value;

use super::{
    columns,
    words::{Tone, Words, tone},
};
use crate::target::text;

/// All that is known, without the phases.
pub(crate) fn host(host: &Value, words: &Words) -> String {
    let said = |pointer: &str| text(host, pointer);
    let mut out = Lines::default();
    let attempt = host.pointer("/status/attempt").and_then(Value::as_u64).filter(|n| *n > 0);
    let attempt = attempt.map(|n| format!(" (attempt {n})")).unwrap_or_default();
    let phase = said("/status/phase");
    let since = words.when(host.pointer("/status/since")).map_or_else(String::new, |at| words.ago(at));
    out.line(&format!("{}  {}{attempt}, {since}", plain(said("/metadata/name"), 100), words.state(phase)));
    if !said("/status/why").is_empty() {
        out.line(&format!("  {} {}", words.paint("why:", tone(phase)), plain(said("/status/why"), 600)));
    }
    if !said("/status/next").is_empty() {
        out.line(&format!("  {} {}", words.paint("try:", Tone::Busy), plain(said("/status/next"), 600)));
    }
    out.pair("namespace", said("/metadata/namespace"));
    out.pair("site", said("/spec/site"));
    out.pair("id", said("/metadata/uid"));
    out.pair("labels", &columns::pairs(host.pointer("/metadata/labels")));
    out.pair("serial", said("/status/serial"));
    out.pair("uuid", said("/status/uuid"));
    out.pair("addresses", &addresses(host));
    out.pair("image", &columns::image(host));
    out.pair("disk", &selector(host, words));
    out.pair("tpm", &columns::tpm(host));
    out.pair(
        "ek",
        Some(said("/status/tpm/ek")).filter(|ek| !ek.is_empty()).unwrap_or_else(|| said("/spec/ek")),
    );
    let created = words.when(host.pointer("/metadata/creationTimestamp"));
    out.pair("registered", &created.map_or_else(String::new, |at| words.stamp(at)));
    let inventory = host.pointer("/status/inventory").filter(|i| !i.is_null());
    if let Some(Ok(inventory)) = inventory.map(|i| serde_json::from_value::<Inventory>(i.clone())) {
        parts(&mut out, &inventory, words);
    }
    out.0
}

fn addresses(host: &Value) -> String {
    let each = host.pointer("/status/macs").and_then(Value::as_array).into_iter().flatten();
    each.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

/// How long each state took.
pub(crate) fn phases(phases: &[Phase], words: &Words) -> String {
    let mut out = Lines::default();
    out.line("phases");
    for phase in phases {
        let (millis, open) = match phase.millis {
            Some(millis) => (millis, ""),
            None => (words.now.0.saturating_sub(phase.from.0), " so far"),
        };
        let padding = " ".repeat(12_usize.saturating_sub(phase.state.len()));
        let text = words.duration(millis);
        out.line(&format!("  {}{padding} {text:>14}{open}", words.state(&phase.state)));
    }
    out.0
}

fn parts(out: &mut Lines, inventory: &Inventory, words: &Words) {
    let smbios = &inventory.smbios;
    out.line("machine");
    out.pair("model", format!("{} {}", smbios.vendor, smbios.product).trim());
    out.pair("firmware", format!("{} {}", inventory.firmware, smbios.bios_version).trim());
    if inventory.cpu_count > 0 {
        out.pair("cpu", &format!("{} x {}", inventory.cpu_count, inventory.cpu_model));
    }
    out.pair("memory", &words.memory(inventory.memory));
    out.pair("kernel", &inventory.kernel);
    for disk in &inventory.disks {
        let mut facts =
            vec![words.bytes(disk.size), transport(disk.transport).to_owned(), disk.model.clone()];
        facts.push(if disk.serial.is_empty() { String::new() } else { format!("serial {}", disk.serial) });
        facts.push(if disk.removable { "removable".to_owned() } else { String::new() });
        facts.retain(|f| !f.is_empty());
        out.pair(&disk.name, &facts.join(", "));
    }
    for nic in &inventory.nics {
        let link = if nic.carrier { "link" } else { "no link" };
        out.pair(&nic.name, &format!("{} {} {link}", nic.mac, nic.driver));
    }
}

fn selector(host: &Value, words: &Words) -> String {
    let fields = host.pointer("/spec/disk").cloned().unwrap_or_default();
    let disk: DiskFields = serde_json::from_value(fields).unwrap_or_default();
    let mut rules: Vec<String> = Vec::new();
    rules.extend(disk.serial.as_ref().map(|s| format!("serial {s}")));
    rules.extend(disk.min_size.map(|n| format!("at least {}", words.bytes(n))));
    rules.extend(disk.max_size.map(|n| format!("at most {}", words.bytes(n))));
    if !disk.transports.is_empty() {
        rules.push(disk.transports.iter().map(|t| transport(*t)).collect::<Vec<_>>().join(" or "));
    }
    if rules.is_empty() { "any but USB and removable ones".to_owned() } else { rules.join(", ") }
}

fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Nvme => "nvme",
        Transport::Virtio => "virtio",
        Transport::Sata => "sata",
        Transport::Mmc => "mmc",
        Transport::Usb => "usb",
        Transport::Other => "other",
    }
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    /// `text` is ours, or came through `plain`.
    fn line(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(text);
    }

    /// A key and its value, unless that is empty.
    fn pair(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            let (key, value) = (plain(key, 60), plain(value, 600));
            self.line(&format!("  {key:<12} {value}"));
        }
    }
}
