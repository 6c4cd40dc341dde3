//! The firmware of a bare machine powers on and asks for an address. Needs no provisioner: it proves the rig, and that
//! each client presents itself as lab/qemu.md says, which is what netboot's answers depend on.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cairn_lab::{Firmware, Guest, NetBoot, Stage};

use crate::story::Story;

/// DHCP options (RFC 2132; RFC 4578 for 93 and 97).
const MESSAGE_TYPE: u8 = 53;
const VENDOR_CLASS: u8 = 60;
const CLIENT_ARCH: u8 = 93;
const CLIENT_UUID: u8 = 97;
/// Where options start: after the fixed part and the magic cookie.
const OPTIONS: usize = 240;

/// Tells it.
pub(crate) fn tell(story: &mut Story) -> Result<()> {
    let listener = listen(story)?;
    let ipxe = "PXEClient:Arch:00000:UNDI:002001";
    knock(story, &listener, story.guest("bios").firmware(Firmware::Bios).netboot(NetBoot::Pxe), (ipxe, 0))?;
    let pxe = "PXEClient:Arch:00007:UNDI:003000";
    knock(story, &listener, story.guest("pxe").netboot(NetBoot::Pxe), (pxe, 7))?;
    let http = "HTTPClient:Arch:00016:UNDI:003000";
    knock(story, &listener, story.guest("http").netboot(NetBoot::Http), (http, 16))
}

/// Powers `guest` on and waits for its DISCOVER.
fn knock(story: &mut Story, listener: &UdpSocket, guest: Guest, expect: (&str, u16)) -> Result<()> {
    let running = guest.start(story.net())?;
    let discover = discover(listener, &guest).with_context(|| {
        let lines: Vec<String> = running.serial().tail(30).iter().map(ToString::to_string).collect();
        format!("{}: {}", guest.name, lines.join("\n"))
    })?;
    let class = String::from_utf8_lossy(option(&discover, VENDOR_CLASS).unwrap_or_default()).into_owned();
    ensure!(class == expect.0, "{}: option 60 is {class:?}", guest.name);
    ensure!(option(&discover, CLIENT_ARCH) == Some(&expect.1.to_be_bytes()), "{}: option 93", guest.name);
    let uuid = [&[0][..], &guest.uuid.to_bytes_le()].concat();
    ensure!(option(&discover, CLIENT_UUID) == Some(&uuid), "{}: option 97", guest.name);
    story.mark(format!(
        "{} sent DISCOVER after {:.1} s: {class}",
        guest.name,
        running.uptime().as_secs_f64()
    ));
    Ok(())
}

fn listen(story: &Story) -> Result<UdpSocket> {
    let socket = story.net().inside(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 67)))??;
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    Ok(socket)
}

/// The next DISCOVER of this guest's MAC.
fn discover(listener: &UdpSocket, guest: &Guest) -> Result<Vec<u8>> {
    let since = Instant::now();
    let mut packet = [0; 2048];
    while since.elapsed() < Stage::DISCOVER.deadline() {
        let Ok(length) = listener.recv(&mut packet) else { continue };
        let packet = packet.get(..length).unwrap_or_default();
        let mac: Vec<String> =
            packet.get(28..34).unwrap_or_default().iter().map(|byte| format!("{byte:02x}")).collect();
        if mac.join(":") == guest.mac && option(packet, MESSAGE_TYPE) == Some(&[1]) {
            return Ok(packet.to_vec());
        }
    }
    anyhow::bail!("no DISCOVER from {} within {:?}", guest.mac, Stage::DISCOVER.deadline())
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
        assert_eq!(option(&packet, CLIENT_ARCH), Some(&[0, 7][..]));
        assert_eq!(option(&packet, VENDOR_CLASS), None);
        assert_eq!(option(&[53, 1], MESSAGE_TYPE), None);
    }
}
