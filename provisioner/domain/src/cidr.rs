//! IPv4 networks, such as those of a cluster's pods and services. Not the networks of hosts: Cairn does not configure those.

use std::{fmt, net::Ipv4Addr, str::FromStr};

/// An IPv4 network whose host bits are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    first: u32,
    length: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// Not `a.b.c.d/n`.
    #[error("is not an IPv4 network such as 10.42.0.0/16")]
    Form,
    /// Bits are set beyond the prefix.
    #[error("has bits beyond its prefix; the network is {0}")]
    HostBits(Cidr),
}

impl Cidr {
    /// Bits of its prefix.
    pub fn length(self) -> u8 {
        self.length
    }

    /// Whether an address is in both.
    pub fn overlaps(self, other: Self) -> bool {
        let mask = mask(self.length.min(other.length));
        self.first & mask == other.first & mask
    }

    /// The address so many after the first; none beyond the network.
    pub fn nth(self, n: u32) -> Option<Ipv4Addr> {
        let address = self.first.checked_add(n)?;
        (address & mask(self.length) == self.first).then(|| Ipv4Addr::from(address))
    }
}

fn mask(length: u8) -> u32 {
    u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(length))).unwrap_or(0)
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let (address, length) = text.split_once('/').ok_or(CidrError::Form)?;
        let address: Ipv4Addr = address.parse().map_err(|_| CidrError::Form)?;
        let plain = length.len() <= 2 && length.bytes().all(|b| b.is_ascii_digit());
        let length: u8 = length.parse().ok().filter(|n| plain && *n <= 32).ok_or(CidrError::Form)?;
        let bits = u32::from(address);
        let network = Self { first: bits & mask(length), length };
        if network.first == bits { Ok(network) } else { Err(CidrError::HostBits(network)) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn networks_are_read_and_compared() {
        let net = |text: &str| text.parse::<Cidr>().unwrap();
        for (a, b, together) in [
            ("10.42.0.0/16", "10.43.0.0/16", false),
            ("10.42.0.0/15", "10.43.0.0/16", true),
            ("0.0.0.0/0", "192.168.1.0/24", true),
            ("10.0.0.1/32", "10.0.0.1/32", true),
            ("10.0.0.1/32", "10.0.0.2/32", false),
        ] {
            assert_eq!((net(a).overlaps(net(b)), net(b).overlaps(net(a))), (together, together), "{a} {b}");
        }
        assert_eq!(
            "10.42.0.1/16".parse::<Cidr>().unwrap_err().to_string(),
            "has bits beyond its prefix; the network is 10.42.0.0/16"
        );
        for bad in
            ["", "10.42.0.0", "10.42.0.0/33", "10.42.0/16", "fd00::/8", "10.42.0.0/+8", "10.42.0.0/016"]
        {
            assert_eq!(bad.parse::<Cidr>(), Err(CidrError::Form), "{bad}");
        }
        assert_eq!(net("10.43.0.0/16").nth(10), Some(Ipv4Addr::new(10, 43, 0, 10)));
        assert_eq!(net("10.43.0.0/30").nth(4), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            if let Ok(network) = text.parse::<Cidr>() {
                prop_assert_eq!(network.to_string().parse::<Cidr>(), Ok(network));
            }
        }
    }
}
