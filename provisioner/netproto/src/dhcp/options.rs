//! DHCP option codes by their names (RFC 2132, 3046, 4578, iPXE) and the reading of an option area.

use super::message::Oddity;

/// Subnet mask.
pub const SUBNET_MASK: u8 = 1;
/// Routers.
pub const ROUTER: u8 = 3;
/// DNS servers.
pub const DNS: u8 = 6;
/// Client's host name.
pub const HOST_NAME: u8 = 12;
/// Domain name.
pub const DOMAIN: u8 = 15;
/// Vendor-specific information; for PXE its own sub-options.
pub const VENDOR: u8 = 43;
/// Address that the client would like.
pub const REQUESTED_IP: u8 = 50;
/// Lease time in seconds.
pub const LEASE_TIME: u8 = 51;
/// Options continue in `file` (1), `sname` (2) or both (3).
pub const OVERLOAD: u8 = 52;
/// Message type.
pub const MESSAGE_TYPE: u8 = 53;
/// Server identifier.
pub const SERVER_ID: u8 = 54;
/// Options the client asks for.
pub const WANTED: u8 = 55;
/// Text that explains a NAK.
pub const MESSAGE: u8 = 56;
/// Largest message the client accepts.
pub const MAX_SIZE: u8 = 57;
/// Renewal time T1.
pub const RENEWAL: u8 = 58;
/// Rebinding time T2.
pub const REBINDING: u8 = 59;
/// Vendor class: `PXEClient:…`, `HTTPClient:…`.
pub const VENDOR_CLASS: u8 = 60;
/// Client identifier.
pub const CLIENT_ID: u8 = 61;
/// TFTP server name.
pub const SERVER_NAME: u8 = 66;
/// Boot file name or URI.
pub const BOOT_FILE: u8 = 67;
/// User class (RFC 3004).
pub const USER_CLASS: u8 = 77;
/// Relay agent information (RFC 3046).
pub const RELAY: u8 = 82;
/// Client architectures (RFC 4578).
pub const ARCH: u8 = 93;
/// Machine UUID (RFC 4578).
pub const MACHINE_UUID: u8 = 97;
/// iPXE's encapsulated options.
pub const IPXE: u8 = 175;

const PAD: u8 = 0;
const END: u8 = 255;

/// Options in the order first seen; a code that repeats is one option, its parts joined (RFC 3396).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    found: Vec<(u8, Vec<u8>)>,
}

impl Options {
    /// The data of one option.
    pub(crate) fn get(&self, code: u8) -> Option<&[u8]> {
        self.found.iter().find(|(c, _)| *c == code).map(|(_, data)| data.as_slice())
    }

    /// Adds the options of one area. Pads may stand anywhere; an option cut short ends the area and is reported.
    pub(crate) fn read_area(&mut self, area: &[u8], oddities: &mut Vec<Oddity>) {
        let mut rest = area;
        while let Some((&code, after)) = rest.split_first() {
            match code {
                PAD => rest = after,
                END => return,
                _ => {
                    let data =
                        after.split_first().and_then(|(len, body)| body.split_at_checked(usize::from(*len)));
                    let Some((data, next)) = data else {
                        oddities.push(Oddity::CutShort(code));
                        return;
                    };
                    self.add(code, data);
                    rest = next;
                }
            }
        }
    }

    fn add(&mut self, code: u8, data: &[u8]) {
        match self.found.iter_mut().find(|(c, _)| *c == code) {
            Some((_, whole)) => whole.extend_from_slice(data),
            None => self.found.push((code, data.to_vec())),
        }
    }
}

/// Splits an encapsulated area (options 43, 82, 175) into sub-options; what is cut short is left out.
pub(crate) fn sub_options(area: &[u8]) -> Vec<(u8, &[u8])> {
    let mut out = Vec::new();
    let mut rest = area;
    while let Some((&code, after)) = rest.split_first() {
        if code == END {
            break;
        }
        if code == PAD {
            rest = after;
            continue;
        }
        let Some((data, next)) =
            after.split_first().and_then(|(len, b)| b.split_at_checked(usize::from(*len)))
        else {
            break;
        };
        out.push((code, data));
        rest = next;
    }
    out
}
