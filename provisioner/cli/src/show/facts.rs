//! One host in full, for `cairn host show`.

use cairn_contract::{Inventory, inventory::Transport};
use cairn_domain::{fact::plain, timeline::Phase};
use cairn_operator::view::HostDetail;

use super::{
    table,
    words::{Tone, Words, tone},
};

/// All that is known, without the phases.
pub(crate) fn host(host: &HostDetail, words: &Words) -> String {
    let row = &host.row;
    let mut out = Lines::default();
    let attempt = row.attempt.map(|n| format!(" (attempt {n})")).unwrap_or_default();
    out.line(&format!("{}  {}{attempt}, {}", row.name, words.state(&row.state), words.ago(row.since)));
    if let Some(why) = &row.why {
        out.line(&format!("  {} {}", words.paint("why:", tone(&row.state)), plain(why, 600)));
    }
    if let Some(next) = row.next.as_deref().filter(|n| !n.is_empty()) {
        out.line(&format!("  {} {}", words.paint("try:", Tone::Busy), plain(next, 600)));
    }
    out.pair("id", &row.id.to_string());
    out.pair("serial", row.serial.as_deref().unwrap_or_default());
    out.pair("uuid", row.uuid.as_deref().unwrap_or_default());
    out.pair("addresses", &row.macs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    out.pair("image", &table::image(row));
    out.pair("disk", &selector(host, words));
    out.pair("tpm", &table::tpm(row.tpm.as_ref()));
    out.pair("ek", &host.ek.or(host.spec.ek).map(|ek| ek.to_string()).unwrap_or_default());
    out.pair("registered", &words.stamp(host.created));
    if let Some(inventory) = &host.inventory {
        parts(&mut out, inventory, words);
    }
    out.0
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

fn selector(host: &HostDetail, words: &Words) -> String {
    let disk = &host.spec.disk;
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
