//! What a guest's mainboard runs, and which network boot it tries.

use std::path::Path;

use crate::vars::SecureBootKeys;

/// The firmware of a guest.
#[derive(Debug, Clone)]
pub enum Firmware {
    /// OVMF without Secure Boot: PXE, HTTP and HTTPS boot, TPM 2.0.
    Uefi,
    /// OVMF that enforces Secure Boot (SMM) with these keys enrolled.
    UefiSecureBoot(Box<SecureBootKeys>),
    /// SeaBIOS with iPXE in the NIC's ROM.
    Bios,
}

/// What the firmware tries on its NIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetBoot {
    /// PXE first, then HTTP. SeaBIOS: iPXE.
    Pxe,
    /// UEFI HTTP(S) boot; PXE is skipped.
    Http,
    /// The NIC is not in the boot order.
    Off,
}

impl Firmware {
    /// OVMF's code; `None` for SeaBIOS, which QEMU brings itself.
    pub(crate) fn code(&self) -> Option<&'static Path> {
        match self {
            Firmware::Uefi => Some(Path::new("/usr/share/OVMF/OVMF_CODE_4M.fd")),
            Firmware::UefiSecureBoot(_) => Some(Path::new("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd")),
            Firmware::Bios => None,
        }
    }

    /// OVMF's variables as shipped: no keys, no boot entries.
    pub(crate) const BLANK_VARS: &'static str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
}
