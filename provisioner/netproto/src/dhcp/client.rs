//! What a client is, from options 60, 77, 93, 97 and 175 (netboot.md A and C). All of it is the client's own word.

use super::message::{Message, Oddity};
use super::options::{self, sub_options};
use crate::{Mac, MachineUuid};

/// Which program on the machine is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A PXE ROM or UEFI's PXE.
    PxeClient,
    /// UEFI HTTP boot.
    HttpClient,
    /// iPXE, whatever started it.
    Ipxe,
    /// An operating system's DHCP client: no architecture sent.
    Os,
    /// It sends an architecture but neither of the boot classes (`HW-Client`, `iDRAC`, …).
    Other,
}

/// Option 93 (RFC 4578 2.1 and IANA's list).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// 0
    Bios,
    /// 6
    Ia32Uefi,
    /// 7 and 9; both are seen for x86-64.
    X64Uefi,
    /// 10
    Arm32Uefi,
    /// 11
    Arm64Uefi,
    /// 15
    Ia32Http,
    /// 16
    X64Http,
    /// 17
    EbcHttp,
    /// 18
    Arm32Http,
    /// 19
    Arm64Http,
    /// 20
    BiosHttp,
    /// 22
    UbootArm64,
    /// 27
    Riscv64Uefi,
    /// 41, or 0 with a Raspberry Pi's hardware address.
    RaspberryPi,
    /// Any other number.
    Other(u16),
}

impl From<u16> for Arch {
    fn from(code: u16) -> Self {
        match code {
            0 => Self::Bios,
            6 => Self::Ia32Uefi,
            7 | 9 => Self::X64Uefi,
            10 => Self::Arm32Uefi,
            11 => Self::Arm64Uefi,
            15 => Self::Ia32Http,
            16 => Self::X64Http,
            17 => Self::EbcHttp,
            18 => Self::Arm32Http,
            19 => Self::Arm64Http,
            20 => Self::BiosHttp,
            22 => Self::UbootArm64,
            27 => Self::Riscv64Uefi,
            41 => Self::RaspberryPi,
            other => Self::Other(other),
        }
    }
}

impl std::fmt::Display for Arch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Bios => "x86 BIOS",
            Self::Ia32Uefi => "IA32 UEFI",
            Self::X64Uefi => "x86-64 UEFI",
            Self::Arm32Uefi => "ARM32 UEFI",
            Self::Arm64Uefi => "ARM64 UEFI",
            Self::Ia32Http => "IA32 UEFI HTTP",
            Self::X64Http => "x86-64 UEFI HTTP",
            Self::EbcHttp => "EBC HTTP",
            Self::Arm32Http => "ARM32 UEFI HTTP",
            Self::Arm64Http => "ARM64 UEFI HTTP",
            Self::BiosHttp => "x86 BIOS HTTP",
            Self::UbootArm64 => "ARM64 U-Boot",
            Self::Riscv64Uefi => "RISC-V 64 UEFI",
            Self::RaspberryPi => "Raspberry Pi",
            Self::Other(code) => return write!(f, "architecture {code}"),
        };
        f.write_str(name)
    }
}

/// What iPXE says of itself in option 175.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ipxe {
    /// Sub-option 20: this build speaks HTTPS.
    pub https: bool,
    /// Sub-option 19: this build speaks HTTP.
    pub http: bool,
}

/// A PXE boot-server request: option 43, sub-option 71 (PXE 2.1, 2.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootItem {
    /// Boot server type.
    pub kind: u16,
    /// Layer; the bit 0x8000 asks for credentials.
    pub layer: u16,
}

/// The client as it presents itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Which program asks.
    pub class: Class,
    /// Option 60 as sent.
    pub vendor_class: Option<Vec<u8>>,
    /// Option 93, all of it, in the client's order.
    pub archs: Vec<Arch>,
    /// Option 97 when it holds a usable UUID.
    pub machine_uuid: Option<MachineUuid>,
    /// Option 77, each class by itself.
    pub user_classes: Vec<Vec<u8>>,
    /// Present when the client is iPXE.
    pub ipxe: Option<Ipxe>,
    /// A boot-server request.
    pub boot_item: Option<BootItem>,
}

impl Client {
    /// The first architecture that `supported` accepts, else the first that was sent.
    pub fn arch(&self, supported: impl Fn(Arch) -> bool) -> Option<Arch> {
        self.archs.iter().copied().find(|arch| supported(*arch)).or_else(|| self.archs.first().copied())
    }

    pub(super) fn read(message: &Message, oddities: &mut Vec<Oddity>) -> Self {
        let vendor_class = message.option(options::VENDOR_CLASS).map(<[u8]>::to_vec);
        let user_classes = message.option(options::USER_CLASS).map(user_classes).unwrap_or_default();
        let archs = archs(message, oddities);
        let ipxe = ipxe(message, &user_classes);
        let class = class(vendor_class.as_deref(), ipxe.is_some(), &archs);
        let boot_item = boot_item(message, oddities);
        Self {
            class,
            vendor_class,
            archs,
            machine_uuid: machine_uuid(message, oddities),
            user_classes,
            ipxe,
            boot_item,
        }
    }
}

fn class(vendor: Option<&[u8]>, is_ipxe: bool, archs: &[Arch]) -> Class {
    let begins = |with: &[u8]| vendor.is_some_and(|v| v.starts_with(with));
    if is_ipxe {
        Class::Ipxe
    } else if begins(b"PXEClient") {
        Class::PxeClient
    } else if begins(b"HTTPClient") {
        Class::HttpClient
    } else if archs.is_empty() {
        Class::Os
    } else {
        Class::Other
    }
}

fn archs(message: &Message, oddities: &mut Vec<Oddity>) -> Vec<Arch> {
    let Some(data) = message.option(options::ARCH) else { return Vec::new() };
    let (pairs, rest) = data.as_chunks::<2>();
    if !rest.is_empty() || pairs.is_empty() {
        oddities.push(Oddity::BadLength { code: options::ARCH, len: data.len() });
    }
    let pi = message.chaddr.is_raspberry_pi();
    let read = |pair: &[u8; 2]| match Arch::from(u16::from_be_bytes(*pair)) {
        Arch::Bios if pi => Arch::RaspberryPi,
        arch => arch,
    };
    pairs.iter().map(read).collect()
}

fn machine_uuid(message: &Message, oddities: &mut Vec<Oddity>) -> Option<MachineUuid> {
    let data = message.option(options::MACHINE_UUID)?;
    // Length 0 is seen in the field and means nothing.
    if data.len() != 17 && !data.is_empty() {
        oddities.push(Oddity::BadLength { code: options::MACHINE_UUID, len: data.len() });
    }
    MachineUuid::from_option97(data)
}

/// RFC 3004's list of length-prefixed classes when the lengths fill the option exactly, else one plain text.
fn user_classes(data: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = data;
    while let Some((len, after)) = rest.split_first() {
        match after.split_at_checked(usize::from(*len)) {
            Some((class, next)) if *len > 0 => {
                out.push(class.to_vec());
                rest = next;
            }
            _ => return vec![data.to_vec()],
        }
    }
    out
}

/// iPXE is known by its user class, by the class our own scripts set, or by its encapsulated options (rule 15).
fn ipxe(message: &Message, user_classes: &[Vec<u8>]) -> Option<Ipxe> {
    let known = |class: &Vec<u8>| class == b"iPXE" || class == crate::script::USER_CLASS.as_bytes();
    let features = message.option(options::IPXE);
    if features.is_none() && !user_classes.iter().any(known) {
        return None;
    }
    let subs = features.map(sub_options).unwrap_or_default();
    let has = |code: u8| subs.iter().any(|(c, data)| *c == code && data.iter().any(|b| *b != 0));
    Some(Ipxe { https: has(20), http: has(19) })
}

fn boot_item(message: &Message, oddities: &mut Vec<Oddity>) -> Option<BootItem> {
    let area = message.option(options::VENDOR)?;
    let (_, data) = sub_options(area).into_iter().find(|(code, _)| *code == 71)?;
    let bytes: [u8; 4] = data.get(..4)?.try_into().ok()?;
    let [a, b, c, d] = bytes;
    let item = BootItem { kind: u16::from_be_bytes([a, b]), layer: u16::from_be_bytes([c, d]) };
    if item.layer & 0x8000 != 0 {
        oddities.push(Oddity::Credentials(item.layer));
    }
    Some(item)
}

/// True when the hardware address may belong to one machine: neither zero nor a group address.
pub(super) fn is_unicast(mac: Mac) -> bool {
    let [first, ..] = mac.0;
    mac.0 != [0; 6] && first & 1 == 0
}
