//! Who a machine says it is on the wire: its hardware address and its SMBIOS UUID. Claims, not proofs.

use std::fmt;
use std::str::FromStr;

/// An Ethernet hardware address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

/// Organisations whose boards send architecture 0 though they are Raspberry Pis (netboot.md rule 3).
const RASPBERRY_PI: [[u8; 3]; 5] =
    [[0xb8, 0x27, 0xeb], [0xdc, 0xa6, 0x32], [0xe4, 0x5f, 0x01], [0x28, 0xcd, 0xc1], [0xd8, 0x3a, 0xdd]];

impl Mac {
    /// True for a Raspberry Pi's address, by its organisation's prefix.
    pub fn is_raspberry_pi(self) -> bool {
        let [a, b, c, ..] = self.0;
        RASPBERRY_PI.contains(&[a, b, c])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The text is not six hexadecimal pairs separated by `:` or `-`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a hardware address such as 52:54:00:12:34:56")]
pub struct BadMac;

impl FromStr for Mac {
    type Err = BadMac;

    fn from_str(text: &str) -> Result<Self, BadMac> {
        let mut out = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut out {
            let part = parts.next().ok_or(BadMac)?;
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(BadMac);
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| BadMac)?;
        }
        if parts.next().is_some() { Err(BadMac) } else { Ok(Self(out)) }
    }
}

/// A machine's SMBIOS UUID in the order of its text form (RFC 9562), as `/sys/class/dmi/id/product_uuid` prints it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineUuid([u8; 16]);

impl MachineUuid {
    /// From DHCP option 97 (RFC 4578 2.3): 17 bytes, type 0, then SMBIOS order, whose first three fields are
    /// little-endian. `None` for another form, and for all zeros or all ones: firmware's way to say "not set".
    pub fn from_option97(data: &[u8]) -> Option<Self> {
        let (kind, id) = data.split_first()?;
        let id: [u8; 16] = id.try_into().ok()?;
        if *kind != 0 || id == [0; 16] || id == [0xff; 16] {
            return None;
        }
        let [a, b, c, d, e, f, g, h, rest @ ..] = id;
        let [i, j, k, l, m, n, o, p] = rest;
        Some(Self([d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]))
    }

    /// From the 16 bytes in text order.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes in text order.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for MachineUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for MachineUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_reads_both_separators_and_nothing_else() {
        let mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x10]);
        assert_eq!("52:54:00:77:00:10".parse(), Ok(mac));
        assert_eq!("52-54-00-77-00-10".parse(), Ok(mac));
        assert_eq!(mac.to_string(), "52:54:00:77:00:10");
        for bad in ["", "52:54:00:77:00", "52:54:00:77:00:10:11", "5254.0077.0010", "+1:54:00:77:00:10"] {
            assert_eq!(bad.parse::<Mac>(), Err(BadMac), "{bad}");
        }
        assert!("dc:a6:32:00:00:01".parse::<Mac>().unwrap().is_raspberry_pi());
        assert!(!mac.is_raspberry_pi());
    }

    #[test]
    fn the_uuid_is_read_in_smbios_order_and_unset_values_are_none() {
        let mut wire = vec![0];
        wire.extend((0..16).map(|n| 0xa0 + n));
        let id = MachineUuid::from_option97(&wire).unwrap();
        assert_eq!(id.to_string(), "a3a2a1a0-a5a4-a7a6-a8a9-aaabacadaeaf");
        assert_eq!(MachineUuid::from_option97(&[0; 17]), None);
        assert_eq!(MachineUuid::from_option97(&[]), None);
        wire[0] = 1;
        assert_eq!(MachineUuid::from_option97(&wire), None);
        assert_eq!(MachineUuid::from_option97(&wire[..16]), None);
    }
}
