//! What this machine is made of, from sysfs and procfs, as the contract's [`Inventory`]. A claim, not a proof.

use std::fs;
use std::path::Path;

use cairn_contract::inventory::TpmInfo;
use cairn_contract::{Inventory, Smbios};

use crate::tpm::Tpm;
use crate::{disk, net};

/// Longer texts than this are cut: firmware tables are written by vendors.
const MAX_TEXT: usize = 256;

/// Looks at everything. Parts that cannot be read are left empty.
#[must_use]
pub fn take(tpm: Option<&Tpm>) -> Inventory {
    let (cpu_model, cpu_count) = cpu(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default());
    Inventory {
        smbios: smbios(Path::new("/sys/class/dmi/id")),
        cpu_model,
        cpu_count,
        memory: memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default()),
        disks: disk::list().into_iter().map(|d| d.info).collect(),
        nics: net::list(),
        tpm: tpm
            .and_then(|t| t.properties().ok())
            .map(|p| TpmInfo { manufacturer: p.manufacturer, firmware_version: p.firmware }),
        kernel: text(Path::new("/proc/sys/kernel/osrelease")),
        firmware: if Path::new("/sys/firmware/efi").exists() { "uefi" } else { "bios" }.to_owned(),
    }
}

/// SMBIOS identity as the kernel shows it below `/sys/class/dmi/id`.
#[must_use]
pub fn smbios(dmi: &Path) -> Smbios {
    Smbios {
        serial: text(&dmi.join("product_serial")),
        uuid: text(&dmi.join("product_uuid")).to_lowercase(),
        vendor: text(&dmi.join("sys_vendor")),
        product: text(&dmi.join("product_name")),
        bios_version: text(&dmi.join("bios_version")),
    }
}

/// A small file's text without control characters; empty when it cannot be read.
pub(crate) fn text(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.trim().chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

fn cpu(cpuinfo: &str) -> (String, u32) {
    let value = |line: &str| line.split_once(':').map(|(_, v)| v.trim().to_owned());
    let model = cpuinfo.lines().find(|l| l.starts_with("model name")).and_then(value).unwrap_or_default();
    let count = cpuinfo.lines().filter(|l| l.starts_with("processor")).count();
    (model, u32::try_from(count).unwrap_or(u32::MAX))
}

fn memory(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemTotal:")).unwrap_or_default();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap_or(0);
    kib.saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_and_memory_are_counted() {
        let info = "processor\t: 0\nmodel name\t: QEMU Virtual CPU\n\nprocessor\t: 1\nmodel name\t: other\n";
        assert_eq!(cpu(info), ("QEMU Virtual CPU".to_owned(), 2));
        assert_eq!(memory("MemTotal:       1000 kB\nMemFree: 5 kB\n"), 1_024_000);
        assert_eq!(memory("MemTotal: lots"), 0);
    }

    #[test]
    fn this_machine_has_a_processor_and_memory() {
        let inventory = take(None);
        assert!(inventory.cpu_count > 0 && inventory.memory > 0 && !inventory.kernel.is_empty());
    }
}
