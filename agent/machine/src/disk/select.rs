//! Which disk may be erased: a pure, total choice.
//!
//! Never a removable, read-only, empty or used one, and never one that the selector does not allow. Among several the
//! first by transport (NVMe, virtio, SATA, MMC, others), then the smallest, then by name: the same machine gives the
//! same answer at every boot, and a big data disk is not taken where a small system disk fits.

use cairn_contract::DiskSelector;
use cairn_contract::inventory::Transport;

use super::Disk;

/// Why one disk was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Its medium can be removed.
    #[error("removable")]
    Removable,
    /// Mounted, or part of another device.
    #[error("in use")]
    InUse,
    /// The kernel refuses writes.
    #[error("read-only")]
    ReadOnly,
    /// No medium.
    #[error("empty")]
    Empty,
    /// Not one of the selector's transports.
    #[error("other transport")]
    Transport,
    /// Not the selector's serial.
    #[error("other serial")]
    Serial,
    /// Smaller than the selector wants.
    #[error("smaller than selected")]
    Small,
    /// Larger than the selector wants.
    #[error("larger than selected")]
    Large,
}

/// Why no disk was chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// The kernel shows no disk at all.
    #[error("this machine shows no disk")]
    None,
    /// There are disks, and none may be erased.
    #[error("no disk matches the selector: {}", list(.0))]
    NoMatch(Vec<(String, Rejected)>),
    /// More than one matches where only one may.
    #[error("several disks match the selector: {}", .0.join(", "))]
    Several(Vec<String>),
    /// Disks match, and the image fits on none.
    #[error("disk {name} has {size} bytes, the image needs {need}")]
    TooSmall {
        /// The largest that matches.
        name: String,
        /// Its bytes.
        size: u64,
        /// What the image needs.
        need: u64,
    },
}

fn list(disks: &[(String, Rejected)]) -> String {
    disks.iter().map(|(name, why)| format!("{name} is {why}")).collect::<Vec<_>>().join(", ")
}

/// Chooses the disk to erase for an image of `need` bytes.
///
/// # Errors
/// [`SelectError`], which names each disk and why it was not taken.
pub fn select<'d>(selector: &DiskSelector, need: u64, disks: &'d [Disk]) -> Result<&'d Disk, SelectError> {
    let allowed = allowed(selector, disks)?;
    let Some(largest) = allowed.iter().max_by_key(|d| d.info.size) else {
        return Err(SelectError::None);
    };
    let (name, size) = (largest.info.name.clone(), largest.info.size);
    let fitting = allowed.into_iter().filter(|d| d.info.size >= need);
    fitting
        .min_by_key(|d| (rank(d.info.transport), d.info.size, d.info.name.clone()))
        .ok_or(SelectError::TooSmall { name, size, need })
}

/// The one disk that matches: for a wipe, which must not take one disk for another.
///
/// # Errors
/// [`SelectError`], [`SelectError::Several`] among them.
pub fn select_only<'d>(selector: &DiskSelector, disks: &'d [Disk]) -> Result<&'d Disk, SelectError> {
    match allowed(selector, disks)?.as_slice() {
        [one] => Ok(one),
        several => Err(SelectError::Several(several.iter().map(|d| d.info.name.clone()).collect())),
    }
}

/// All disks that may be erased; at least one.
fn allowed<'d>(selector: &DiskSelector, disks: &'d [Disk]) -> Result<Vec<&'d Disk>, SelectError> {
    if disks.is_empty() {
        return Err(SelectError::None);
    }
    let mut rejected = Vec::new();
    let mut allowed = Vec::new();
    for disk in disks {
        match judge(selector, disk) {
            Ok(()) => allowed.push(disk),
            Err(why) => rejected.push((disk.info.name.clone(), why)),
        }
    }
    if allowed.is_empty() { Err(SelectError::NoMatch(rejected)) } else { Ok(allowed) }
}

fn judge(selector: &DiskSelector, disk: &Disk) -> Result<(), Rejected> {
    let info = &disk.info;
    let transport = match selector.transports.as_slice() {
        [] => info.transport != Transport::Usb,
        some => some.contains(&info.transport),
    };
    let serial = selector.serial.as_deref().map(str::trim).filter(|s| !s.is_empty());
    let checks = [
        (!info.removable, Rejected::Removable),
        (!disk.in_use, Rejected::InUse),
        (!disk.read_only, Rejected::ReadOnly),
        (info.size != 0, Rejected::Empty),
        (transport, Rejected::Transport),
        (serial.is_none_or(|s| s == info.serial), Rejected::Serial),
        (selector.min_size.is_none_or(|min| info.size >= min), Rejected::Small),
        (selector.max_size.is_none_or(|max| info.size <= max), Rejected::Large),
    ];
    checks.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(why))
}

fn rank(transport: Transport) -> u8 {
    match transport {
        Transport::Nvme => 0,
        Transport::Virtio => 1,
        Transport::Sata => 2,
        Transport::Mmc => 3,
        Transport::Other => 4,
        Transport::Usb => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_contract::inventory::DiskInfo;
    use proptest::prelude::*;

    fn disk(name: &str, size: u64, transport: Transport) -> Disk {
        let info = DiskInfo {
            name: name.into(),
            size,
            transport,
            serial: format!("S-{name}"),
            model: String::new(),
            removable: false,
            block_size: 512,
        };
        Disk { info, rotational: false, read_only: false, in_use: false }
    }

    #[track_caller]
    fn check(selector: &DiskSelector, disks: &[Disk], expected: Result<&str, SelectError>) {
        assert_eq!(select(selector, 100, disks).map(|d| d.info.name.as_str()), expected);
    }

    #[test]
    fn the_best_transport_then_the_smallest_that_fits() {
        let disks = [
            disk("sda", 500, Transport::Sata),
            disk("nvme1n1", 900, Transport::Nvme),
            disk("nvme0n1", 90, Transport::Nvme),
            disk("nvme2n1", 300, Transport::Nvme),
            disk("vda", 100, Transport::Virtio),
        ];
        check(&DiskSelector::default(), &disks, Ok("nvme2n1"));
        let sata = DiskSelector { transports: vec![Transport::Sata], ..DiskSelector::default() };
        check(&sata, &disks, Ok("sda"));
        let serial = DiskSelector { serial: Some("S-vda".into()), ..DiskSelector::default() };
        check(&serial, &disks, Ok("vda"));
        let small = DiskSelector { max_size: Some(90), ..DiskSelector::default() };
        let short = SelectError::TooSmall { name: "nvme0n1".into(), size: 90, need: 100 };
        check(&small, &disks, Err(short));
    }

    #[test]
    fn a_wipe_takes_no_disk_for_another() {
        let mut disks = [disk("vda", 100, Transport::Virtio), disk("vdb", 100, Transport::Virtio)];
        let several = SelectError::Several(vec!["vda".into(), "vdb".into()]);
        assert_eq!(select_only(&DiskSelector::default(), &disks), Err(several));
        let serial = DiskSelector { serial: Some("S-vdb".into()), ..DiskSelector::default() };
        assert_eq!(select_only(&serial, &disks).map(|d| d.info.name.as_str()), Ok("vdb"));
        disks[1].info.removable = true;
        assert!(matches!(select_only(&serial, &disks), Err(SelectError::NoMatch(_))));
        assert_eq!(select_only(&serial, &[]), Err(SelectError::None));
    }

    #[test]
    fn what_may_not_be_erased_is_named_with_its_reason() {
        let mut disks = [
            disk("sda", 500, Transport::Usb),
            disk("sdb", 500, Transport::Sata),
            disk("sdc", 500, Transport::Sata),
        ];
        disks[1].info.removable = true;
        disks[2].in_use = true;
        let why = vec![
            ("sda".to_owned(), Rejected::Transport),
            ("sdb".to_owned(), Rejected::Removable),
            ("sdc".to_owned(), Rejected::InUse),
        ];
        check(&DiskSelector::default(), &disks, Err(SelectError::NoMatch(why)));
        check(&DiskSelector::default(), &[], Err(SelectError::None));
    }

    proptest! {
        #[test]
        fn a_removable_used_or_small_disk_is_never_chosen(
            parts in proptest::collection::vec((0u64..300, any::<bool>(), any::<bool>(), any::<bool>()), 0..6),
            min in proptest::option::of(0u64..300),
        ) {
            let disks: Vec<Disk> = parts.iter().enumerate().map(|(i, (size, removable, read_only, in_use))| {
                let mut d = disk(&format!("sd{i}"), *size, Transport::Sata);
                (d.info.removable, d.read_only, d.in_use) = (*removable, *read_only, *in_use);
                d
            }).collect();
            let selector = DiskSelector { min_size: min, ..DiskSelector::default() };
            match select(&selector, 100, &disks) {
                Ok(d) => {
                    prop_assert!(!d.info.removable && !d.read_only && !d.in_use);
                    prop_assert!(d.info.size >= 100 && d.info.size >= min.unwrap_or(0));
                }
                Err(_) => {
                    prop_assert!(disks.iter().all(|d| judge(&selector, d).is_err() || d.info.size < 100));
                }
            }
        }
    }
}
