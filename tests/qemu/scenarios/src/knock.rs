//! Hearing a guest's first words on the network: DHCP DISCOVER, read with the story's own eyes.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use cairn_lab::{Guest, Net};

/// DHCP options (RFC 2132; RFC 4578 for 93 and 97).
const MESSAGE_TYPE: u8 = 53;
const VENDOR_CLASS: u8 = 60;
const CLIENT_ARCH: u8 = 93;
const CLIENT_UUID: u8 = 97;
/// Where options start: after the fixed part and the magic cookie.
const OPTIONS: usize = 240;

/// An ear on the bridge, where no DHCP server runs.
#[derive(Debug)]
pub(crate) struct Ear(UdpSocket);

/// A DISCOVER.
#[derive(Debug)]
pub(crate) struct Knock(Vec<u8>);

impl Ear {
    /// Listens on port 67.
    pub(crate) fn open(net: &Net) -> Result<Self> {
        let socket = net.inside(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 67)))??;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        Ok(Self(socket))
    }

    /// The next DISCOVER of this guest.
    pub(crate) fn hear(&self, guest: &Guest, patience: Duration) -> Result<Knock> {
        let since = Instant::now();
        let mut packet = [0; 2048];
        while since.elapsed() < patience {
            let Ok(length) = self.0.recv(&mut packet) else { continue };
            let packet = packet.get(..length).unwrap_or_default();
            let mac = packet.get(28..34).unwrap_or_default();
            let mac: Vec<String> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
            if mac.join(":") == guest.mac && option(packet, MESSAGE_TYPE) == Some(&[1]) {
                return Ok(Knock(packet.to_vec()));
            }
        }
        bail!("{}: no DISCOVER from {} within {patience:?}", guest.name, guest.mac)
    }

    /// Drops what has come so far.
    pub(crate) fn forget(&self) -> Result<()> {
        self.0.set_nonblocking(true)?;
        while self.0.recv(&mut [0; 1]).is_ok() {}
        self.0.set_nonblocking(false)?;
        Ok(())
    }
}

impl Knock {
    /// Option 60.
    pub(crate) fn class(&self) -> String {
        String::from_utf8_lossy(option(&self.0, VENDOR_CLASS).unwrap_or_default()).into_owned()
    }

    /// Option 93.
    pub(crate) fn arch(&self) -> Option<u16> {
        Some(u16::from_be_bytes(*option(&self.0, CLIENT_ARCH)?.first_chunk()?))
    }

    /// Option 97, with its leading type byte.
    pub(crate) fn uuid(&self) -> Option<&[u8]> {
        option(&self.0, CLIENT_UUID)
    }
}

/// The value of an option.
fn option(packet: &[u8], wanted: u8) -> Option<&[u8]> {
    let mut rest = packet.get(OPTIONS..)?;
    loop {
        match rest {
            [0, tail @ ..] => rest = tail,
            [code, length, tail @ ..] if *code != 255 => {
                let value = tail.get(..usize::from(*length))?;
                if *code == wanted {
                    return Some(value);
                }
                rest = tail.get(value.len()..)?;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_behind_padding_and_not_behind_the_end() {
        let mut packet = vec![0; OPTIONS];
        packet.extend([53, 1, 1, 0, 0, 93, 2, 0, 7, 255, 60, 1, 9]);
        assert_eq!(option(&packet, MESSAGE_TYPE), Some(&[1][..]));
        assert_eq!(option(&packet, VENDOR_CLASS), None);
        assert_eq!(Knock(packet).arch(), Some(7));
        assert_eq!(option(&[53, 1], MESSAGE_TYPE), None);
    }
}
