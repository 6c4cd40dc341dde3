//! The disks below /sys/block.

use std::fs;
use std::path::Path;

use cairn_contract::inventory::{DiskInfo, Transport};

use crate::inventory::text;

/// The kernel counts sectors of 512 bytes, whatever the device's blocks are.
const SECTOR: u64 = 512;

/// A disk as the kernel describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// What the inventory tells.
    pub info: DiskInfo,
    /// It spins.
    pub rotational: bool,
    /// The kernel refuses writes.
    pub read_only: bool,
    /// A file system on it is mounted (the running root, for instance), or another device is built upon it.
    pub in_use: bool,
}

impl Disk {
    /// For people: `nvme0n1 (QEMU NVMe Ctrl, serial X)`.
    #[must_use]
    pub fn describe(&self) -> String {
        let known = [self.info.model.clone(), self.info.serial.clone()];
        let [model, serial] = known.map(|s| if s.is_empty() { "-".to_owned() } else { s });
        format!("{} ({model}, serial {serial})", self.info.name)
    }

    /// Whether the device has a command that makes blocks zero without their bytes being sent.
    #[must_use]
    pub fn zeroes_by_itself(&self) -> bool {
        let most = Path::new("/sys/block").join(&self.info.name).join("queue/write_zeroes_max_bytes");
        text(&most).parse::<u64>().is_ok_and(|most| most > 0)
    }
}

/// All disks, by name. Loop, RAM, device-mapper and MD devices are none; nor are optical and floppy drives.
#[must_use]
pub fn list() -> Vec<Disk> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    list_in(Path::new("/sys/block"), &mounts)
}

fn list_in(class: &Path, mountinfo: &str) -> Vec<Disk> {
    let mounted: Vec<&str> = mountinfo.lines().filter_map(|l| l.split(' ').nth(2)).collect();
    let mut disks: Vec<Disk> = fs::read_dir(class)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|e| read(&e.path(), e.file_name().into_string().ok()?, &mounted))
        .collect();
    disks.sort_by(|a, b| a.info.name.cmp(&b.info.name));
    disks
}

fn read(folder: &Path, name: String, mounted: &[&str]) -> Option<Disk> {
    let no_disk = ["sr", "fd", "nbd"].iter().any(|p| name.starts_with(p));
    let boot_area = name.starts_with("mmcblk") && (name.contains("boot") || name.contains("rpmb"));
    let hidden = text(&folder.join("hidden")) == "1"; // one path of an NVMe multipath device
    if no_disk || boot_area || hidden || !folder.join("device").exists() {
        return None;
    }
    let flag = |file: &str| text(&folder.join(file)) == "1";
    let path = fs::canonicalize(folder).unwrap_or_default();
    Some(Disk {
        rotational: flag("queue/rotational"),
        read_only: flag("ro"),
        in_use: in_use(folder, &name, mounted),
        info: DiskInfo {
            size: text(&folder.join("size")).parse::<u64>().ok()?.checked_mul(SECTOR)?,
            transport: transport(&name, &path.to_string_lossy()),
            serial: serial(folder),
            model: text(&folder.join("device/model")),
            removable: flag("removable"),
            block_size: text(&folder.join("queue/logical_block_size")).parse().unwrap_or(512),
            name,
        },
    })
}

fn transport(name: &str, path: &str) -> Transport {
    // USB first: a card reader's disk is an `sd` below a PCI controller too.
    match () {
        () if path.contains("/usb") => Transport::Usb,
        () if name.starts_with("nvme") => Transport::Nvme,
        () if name.starts_with("mmcblk") => Transport::Mmc,
        () if path.contains("/virtio") => Transport::Virtio,
        () if name.starts_with("sd") => Transport::Sata,
        () => Transport::Other,
    }
}

/// virtio-blk has it at the disk, NVMe and MMC at the device, SCSI in VPD page 0x80 behind four bytes.
fn serial(folder: &Path) -> String {
    let plain = ["serial", "device/serial"].map(|f| text(&folder.join(f)));
    if let Some(found) = plain.into_iter().find(|s| !s.is_empty()) {
        return found;
    }
    let page = fs::read(folder.join("device/vpd_pg80")).unwrap_or_default();
    let serial = String::from_utf8_lossy(page.get(4..).unwrap_or_default()).into_owned();
    serial.trim().chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(64).collect()
}

/// Whether the disk or a partition of it is mounted or held.
fn in_use(folder: &Path, name: &str, mounted: &[&str]) -> bool {
    let parts = fs::read_dir(folder).into_iter().flatten().flatten();
    let parts = parts.filter(|e| e.file_name().to_str().is_some_and(|n| n.starts_with(name)));
    parts.map(|e| e.path()).chain([folder.to_path_buf()]).any(|device| {
        let number = text(&device.join("dev"));
        let held = fs::read_dir(device.join("holders")).is_ok_and(|mut h| h.next().is_some());
        held || mounted.contains(&number.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A /sys/block of plain files.
    fn tree(name: &str, files: &[(&str, &str)]) -> std::path::PathBuf {
        let root = std::env::temp_dir().join(format!("cairn-block-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for (path, content) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    #[test]
    fn disks_are_told_from_what_is_none() {
        let root = tree(
            "kinds",
            &[
                ("loop0/size", "8\n"),
                ("sr0/size", "8\n"),
                ("sr0/device/model", "CD"),
                ("nvme0n1/size", "2048\n"),
                ("nvme0n1/device/serial", "  N1 \n"),
                ("nvme0n1/device/model", "QEMU NVMe Ctrl   \n"),
                ("nvme0n1/queue/logical_block_size", "4096\n"),
                ("sda/size", "4096\n"),
                ("sda/removable", "1\n"),
                ("sda/device/vpd_pg80", "\0\u{7f}\0\u{4}S123"),
                ("sda/sda1/dev", "8:1\n"),
            ],
        );
        let disks = list_in(&root, "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
        fs::remove_dir_all(&root).unwrap();
        let names: Vec<_> = disks.iter().map(|d| d.info.name.as_str()).collect();
        assert_eq!(names, ["nvme0n1", "sda"]);
        let (nvme, sda) = (&disks[0], &disks[1]);
        assert_eq!((nvme.info.size, nvme.info.block_size), (1 << 20, 4096));
        assert_eq!(nvme.describe(), "nvme0n1 (QEMU NVMe Ctrl, serial N1)");
        assert_eq!((sda.info.serial.as_str(), sda.info.removable, sda.in_use), ("S123", true, true));
        assert!(!nvme.in_use);
    }

    #[test]
    fn a_usb_disk_is_not_taken_for_a_sata_one() {
        let usb = "/sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb";
        assert_eq!(transport("sdb", usb), Transport::Usb);
        assert_eq!(
            transport("vda", "/sys/devices/pci0000:00/0000:00:03.0/virtio1/block/vda"),
            Transport::Virtio
        );
        assert_eq!(
            transport("sda", "/sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/block/sda"),
            Transport::Sata
        );
    }
}
