//! Where the installed system lies: the disk that this boot came from, its ESP and its root slots.
//!
//! systemd-stub writes the GUID of the partition that it was loaded from into an EFI variable; the partitions are those
//! of that disk. Without the variable the only disk with our partitions is taken. Called by the OS's first stage.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::disk;
use crate::gpt::{self, Partition};
use crate::layout::{ESP, ROOT_X86_64};

/// systemd's boot loader interface, vendor 4a67b082-0a4c-41cf-b6c7-440b29bb8c4f.
const LOADER: &str = "/sys/firmware/efi/efivars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/// One of the two root partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The first.
    A,
    /// The second.
    B,
}

impl Slot {
    /// `a` or `b`.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    fn partition(self) -> &'static str {
        match self {
            Self::A => "root-a",
            Self::B => "root-b",
        }
    }
}

/// The device files of the installed system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// EFI system partition.
    pub esp: PathBuf,
    /// The slot's root file system.
    pub root: PathBuf,
}

/// Looks at every disk. `None` until the right one has appeared.
#[must_use]
pub fn find(slot: Slot) -> Option<Installed> {
    let disks = disk::list();
    let tables = disks.iter().filter_map(|d| Some((d.info.name.as_str(), read_table(&d.info.name)?)));
    let tables: Vec<_> = tables.collect();
    choose(&tables, booted_from(), slot)
}

fn read_table(name: &str) -> Option<Vec<Partition>> {
    let mut bytes = Vec::new();
    let file = File::open(Path::new("/dev").join(name)).ok()?;
    file.take(gpt::READ as u64).read_to_end(&mut bytes).ok()?;
    gpt::parse(&bytes)
}

/// Attributes (4 bytes), then the GUID as UTF-16 text.
fn booted_from() -> Option<Uuid> {
    let bytes = fs::read(LOADER).ok()?;
    let units = bytes.get(4..)?.chunks_exact(2).filter_map(|c| c.try_into().ok()).map(u16::from_le_bytes);
    let text: String = char::decode_utf16(units.take_while(|u| *u != 0)).filter_map(Result::ok).collect();
    Uuid::parse_str(&text).ok()
}

fn choose(disks: &[(&str, Vec<Partition>)], booted: Option<Uuid>, slot: Slot) -> Option<Installed> {
    let ours = disks.iter().filter(|(_, parts)| match booted {
        Some(guid) => parts.iter().any(|p| p.guid == guid),
        None => true,
    });
    ours.filter_map(|(name, parts)| {
        let device = |kind: Uuid, label: &str| {
            let part = parts.iter().find(|p| p.kind == kind && p.name == label)?;
            Some(Path::new("/dev").join(partition_name(name, part.number)))
        };
        Some(Installed { esp: device(ESP, "esp")?, root: device(ROOT_X86_64, slot.partition())? })
    })
    .next()
}

/// `sda` and 2 is `sda2`; `nvme0n1` and 2 is `nvme0n1p2`.
fn partition_name(disk: &str, number: usize) -> String {
    let separator = if disk.ends_with(|c: char| c.is_ascii_digit()) { "p" } else { "" };
    format!("{disk}{separator}{number}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::uuid;

    const OTHER: Uuid = uuid!("11111111-2222-4333-8444-555555555555");

    fn parts(esp: u128) -> Vec<Partition> {
        let part = |number, kind, guid, name: &str| Partition { number, kind, guid, name: name.into() };
        vec![
            part(1, ESP, Uuid::from_u128(esp), "esp"),
            part(2, ROOT_X86_64, Uuid::from_u128(esp + 1), "root-a"),
            part(3, ROOT_X86_64, Uuid::from_u128(esp + 2), "root-b"),
        ]
    }

    #[test]
    fn the_disk_that_was_booted_is_taken() {
        let disks = [("sda", parts(10)), ("nvme0n1", parts(20))];
        let root = |booted, slot| choose(&disks, booted, slot).map(|i| i.root.display().to_string());
        assert_eq!(root(Some(Uuid::from_u128(20)), Slot::A).as_deref(), Some("/dev/nvme0n1p2"));
        assert_eq!(root(Some(Uuid::from_u128(20)), Slot::B).as_deref(), Some("/dev/nvme0n1p3"));
        assert_eq!(root(None, Slot::A).as_deref(), Some("/dev/sda2"));
        assert_eq!(root(Some(OTHER), Slot::A), None);
    }
}
