//! The names that boot firmware may ask for, by TFTP and by HTTP alike. A [`Name`] holds no separator, so a path out of
//! the table cannot be expressed (netboot.md rule 30). Which names exist, and their bytes, is the caller's table.

use std::fmt;

/// The installer's UKI, for UEFI x86-64.
pub const INSTALLER: &str = "installer.efi";
/// The installer's kernel, for iPXE under BIOS.
pub const KERNEL: &str = "vmlinuz";
/// The installer's initramfs, for iPXE under BIOS.
pub const INITRD: &str = "initrd";
/// iPXE for a plain BIOS PXE ROM, supplied by the operator.
pub const UNDIONLY: &str = "undionly.kpxe";
/// The script that our DHCP answer names to iPXE.
pub const BOOT_SCRIPT: &str = "boot.ipxe";
/// The script that iPXE looks for beside the file it came from (rule 16).
pub const AUTOEXEC_SCRIPT: &str = "autoexec.ipxe";

const LONGEST: usize = 64;

/// A file name: 1 to 64 of `A-Z a-z 0-9 . _ -`, not beginning with a dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// A name as an operator or a table writes it.
    pub fn new(text: &str) -> Option<Self> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let sound = (1..=LONGEST).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(legal);
        sound.then(|| Self(text.to_owned()))
    }

    /// A name as firmware writes it: leading `/`, `//` and `\` are dropped, the case is kept.
    pub fn from_wire(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        Self::new(text.trim_start_matches(['/', '\\']))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The media type that UEFI wants to see (UEFI 2.10, 24.7.2), by the name's end.
    pub fn media_type(&self) -> &'static str {
        match self.0.rsplit_once('.').map(|(_, end)| end) {
            Some("efi") => "application/efi",
            Some("iso") => "application/vnd.efi-iso",
            Some("img") => "application/vnd.efi-img",
            Some("ipxe") => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firmware_spellings_reach_the_same_name() {
        for wire in
            ["installer.efi", "/installer.efi", "//installer.efi", "\\installer.efi", "/\\installer.efi"]
        {
            assert_eq!(Name::from_wire(wire.as_bytes()).unwrap().as_str(), INSTALLER, "{wire}");
        }
        assert_eq!(Name::from_wire(b"Installer.EFI").unwrap().as_str(), "Installer.EFI");
    }

    #[test]
    fn a_path_cannot_be_a_name() {
        for wire in
            ["", "/", "..", "../etc/passwd", "/boot/../x", "a/b", "a\\b", ".hidden", "a b", "a\0b", "%2e%2e"]
        {
            assert_eq!(Name::from_wire(wire.as_bytes()), None, "{wire}");
        }
        assert_eq!(Name::from_wire(&[b'a'; 65]), None);
        assert_eq!(Name::from_wire(&[0xff, 0xfe]), None);
    }

    #[test]
    fn media_types_are_those_of_uefi() {
        let of = |name: &str| Name::new(name).unwrap().media_type();
        assert_eq!(of(INSTALLER), "application/efi");
        assert_eq!(of("rescue.iso"), "application/vnd.efi-iso");
        assert_eq!(of("disk.img"), "application/vnd.efi-img");
        assert_eq!(of(KERNEL), "application/octet-stream");
    }
}
