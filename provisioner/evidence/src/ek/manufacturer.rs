//! Who makes TPMs of which kind. Decides the class that policy accepts or not; proves nothing by itself.

use std::fmt;

/// What kind of TPM a host has, by the manufacturer that its certificate names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EkClass {
    /// A chip of its own.
    DiscreteWithCertificate,
    /// Part of the processor's firmware.
    FirmwareWithCertificate,
    /// A virtual machine's: worth as much as its hypervisor.
    VirtualWithCertificate,
    /// Certified by a trusted root, but its manufacturer is not in the table.
    UnlistedWithCertificate,
    /// Nobody vouches for it: many firmware TPMs, and virtual machines.
    NoCertificate,
}

impl fmt::Display for EkClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DiscreteWithCertificate => "dTPM with certificate",
            Self::FirmwareWithCertificate => "fTPM with certificate",
            Self::VirtualWithCertificate => "vTPM with certificate",
            Self::UnlistedWithCertificate => "TPM with certificate of an unlisted manufacturer",
            Self::NoCertificate => "no certificate",
        })
    }
}

/// TCG TPM Vendor ID Registry, as `id:` and eight hexadecimal digits. IBM's is libtpms, below swtpm and QEMU; 00001014 is
/// what swtpm's CA writes; Microsoft's, Google's, Amazon's and VMware's certificates are those of their clouds' vTPMs.
const TABLE: [(&str, EkClass); 16] = [
    ("id:49465800", EkClass::DiscreteWithCertificate), // Infineon
    ("id:4E544300", EkClass::DiscreteWithCertificate), // Nuvoton
    ("id:53544D20", EkClass::DiscreteWithCertificate), // STMicroelectronics
    ("id:4E545A00", EkClass::DiscreteWithCertificate), // Nationz
    ("id:4E534700", EkClass::DiscreteWithCertificate), // NSING
    ("id:41544D4C", EkClass::DiscreteWithCertificate), // Atmel
    ("id:494E5443", EkClass::FirmwareWithCertificate), // Intel
    ("id:414D4400", EkClass::FirmwareWithCertificate), // AMD
    ("id:51434F4D", EkClass::FirmwareWithCertificate), // Qualcomm
    ("id:00001014", EkClass::VirtualWithCertificate),  // swtpm
    ("id:49424D00", EkClass::VirtualWithCertificate),  // IBM (libtpms)
    ("id:564D5700", EkClass::VirtualWithCertificate),  // VMware
    ("id:564D5745", EkClass::VirtualWithCertificate),  // VMware, as "VMWE"
    ("id:4D534654", EkClass::VirtualWithCertificate),  // Microsoft
    ("id:474F4F47", EkClass::VirtualWithCertificate),  // Google
    ("id:414D5A4E", EkClass::VirtualWithCertificate),  // Amazon
];

/// The class of a TPM whose verified certificate names this manufacturer.
pub(super) fn class_of(manufacturer: &str) -> EkClass {
    let listed = TABLE.iter().find(|(id, _)| id.eq_ignore_ascii_case(manufacturer));
    listed.map_or(EkClass::UnlistedWithCertificate, |(_, class)| *class)
}
