//! The question that boot services ask of the rest of the system: what does this client boot?

use std::borrow::Cow;
use std::net::IpAddr;

use cairn_netproto::bootfile::{self, Name};
use cairn_netproto::dhcp::{Arch, Class};
use cairn_netproto::{Mac, MachineUuid};

/// A machine that boots, by its own word. HTTP and TFTP know it by its address, so only `peer` is sure there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootClient {
    /// Hardware address, known from DHCP.
    pub mac: Option<Mac>,
    /// SMBIOS UUID, known from DHCP.
    pub uuid: Option<MachineUuid>,
    /// Which program asks.
    pub class: Class,
    /// What it runs on.
    pub arch: Option<Arch>,
    /// Its address, when it has one.
    pub peer: Option<IpAddr>,
}

/// Decides what a client boots, from a snapshot: it must not block.
pub trait Directory: Send + Sync {
    /// The answer for this client.
    fn answer(&self, client: &BootClient) -> BootAnswer;
}

/// What a client boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootAnswer {
    /// The installer.
    Installer(BootFiles),
    /// Its own disk, told in the way that its firmware understands (netboot.md rule 40).
    LocalDisk(DiskWay),
    /// An address and no file, for this reason in plain words.
    AddressOnly(Cow<'static, str>),
}

/// How firmware is led to the disk. iPXE gets a script in each case; the first two differ for it in nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DiskWay {
    /// A boot file that does not exist: PXE and HTTP boot fail at once and go on to the next boot option. iPXE: `exit`.
    #[default]
    NotFound,
    /// No boot file in the DHCP answer. EDK2's PXE asks again for a minute before it goes on.
    NoFile,
    /// As [`DiskWay::NotFound`], but iPXE gets `sanboot`, for BIOSes that stop after `exit`.
    Sanboot,
}

/// The files that start the installer, by their names on the [`crate::Shelf`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootFiles {
    /// UKI for x86-64 UEFI.
    pub uki: Name,
    /// Kernel for iPXE under BIOS.
    pub kernel: Name,
    /// Initramfs for iPXE under BIOS.
    pub initrd: Name,
    /// Kernel command line for iPXE under BIOS.
    pub cmdline: String,
}

impl BootFiles {
    /// The usual names, with this command line for BIOS.
    pub fn usual(cmdline: impl Into<String>) -> Self {
        let name = |text| Name::new(text).expect("the usual names are sound");
        Self {
            uki: name(bootfile::INSTALLER),
            kernel: name(bootfile::KERNEL),
            initrd: name(bootfile::INITRD),
            cmdline: cmdline.into(),
        }
    }
}
