//! Each packet, decision, file and TLS alert of a boot as one value (netboot.md rule 41): enough to say on a host's
//! timeline why it did not boot, and what to try next.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use cairn_netproto::dhcp::{Arch, Class, Kind};
use cairn_netproto::{Mac, MachineUuid};

use crate::lease::{IgnoreWhy, NakWhy};
use crate::tls::{Audience, Curves};

/// Whom an event is about, as far as known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Who {
    /// Hardware address.
    pub mac: Option<Mac>,
    /// SMBIOS UUID.
    pub uuid: Option<MachineUuid>,
    /// Network address.
    pub peer: Option<IpAddr>,
}

/// A boot service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Address and boot file.
    Dhcp,
    /// Files for PXE.
    Tftp,
    /// Files for HTTP boot and iPXE.
    Http,
    /// The TLS port.
    Tls,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dhcp => "DHCP",
            Self::Tftp => "TFTP",
            Self::Http => "HTTP",
            Self::Tls => "TLS",
        })
    }
}

/// Why an answer holds no boot file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoFile {
    /// Policy says disk.
    #[error("it boots from its disk")]
    LocalDisk,
    /// Policy says no, in its words.
    #[error("{0}")]
    Denied(Cow<'static, str>),
    /// There is no installer for this machine.
    #[error("there is no installer for {0}")]
    NoInstallerFor(Arch),
    /// A boot class without an architecture.
    #[error("it did not say its architecture")]
    NoArch,
    /// A vendor class that is not in the configuration.
    #[error("its vendor class {0} is not one that this site serves")]
    ForeignClass(String),
    /// Plain BIOS PXE, and no `undionly.kpxe` was supplied.
    #[error("its BIOS network card has no iPXE and no undionly.kpxe was supplied")]
    NoBiosLoader,
    /// The file is not on the shelf.
    #[error("the file {0} is not there")]
    Missing(String),
}

/// The boot part of a DHCP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootPart {
    /// This file or URI.
    File(String),
    /// None.
    Nothing(NoFile),
    /// None was asked for: an operating system's client.
    NotAsked,
}

impl fmt::Display for BootPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, " and boot file {file}"),
            Self::Nothing(NoFile::LocalDisk) => f.write_str(" and sent it to its disk"),
            Self::Nothing(why) => write!(f, " and no boot file: {why}"),
            Self::NotAsked => Ok(()),
        }
    }
}

/// How another DHCP server was noticed (rule 22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherServer {
    /// Its offer or ACK was heard.
    Heard,
    /// A client chose it.
    Chosen,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Bytes that are no packet of the service.
    Malformed {
        /// Where.
        service: Service,
        /// In words; printable.
        why: String,
    },
    /// A DHCP message arrived.
    Asked {
        /// Message type.
        kind: Kind,
        /// Which program.
        class: Class,
        /// Architecture, when sent.
        arch: Option<Arch>,
        /// Slips in it, in words.
        oddities: Vec<String>,
    },
    /// An address was offered.
    Offered {
        /// The address.
        address: Ipv4Addr,
        /// The boot part.
        boot: BootPart,
    },
    /// An address was given, and is durable.
    Acked {
        /// The address.
        address: Ipv4Addr,
        /// For how long, in seconds; `None` for INFORM.
        seconds: Option<u32>,
        /// The boot part.
        boot: BootPart,
    },
    /// An address was refused.
    Nakked(NakWhy),
    /// A DHCP message got no answer.
    Ignored(IgnoreWhy),
    /// The client found another machine at the address.
    Declined(Ipv4Addr),
    /// The client gave its address back.
    Released(Ipv4Addr),
    /// Another DHCP server is on the segment.
    OtherServer {
        /// Its address.
        address: Ipv4Addr,
        /// How it was noticed.
        how: OtherServer,
    },
    /// The lease could not be made durable, so no ACK was sent.
    LeaseNotDurable(String),
    /// A reply could not be built or sent.
    ReplyFailed {
        /// Where.
        service: Service,
        /// In words.
        why: String,
    },
    /// A file was asked for that is not there.
    FileMissing {
        /// Where.
        service: Service,
        /// As asked; printable.
        name: String,
    },
    /// A request that is never served: a write, netascii, a method other than GET and HEAD.
    FileRefused {
        /// Where.
        service: Service,
        /// In words; printable.
        why: String,
    },
    /// A client asked for a file's size only.
    SizeAsked {
        /// Where.
        service: Service,
        /// The file.
        name: String,
    },
    /// A file, or the asked part of it, was sent to its end.
    FileSent {
        /// Where.
        service: Service,
        /// The file.
        name: String,
        /// Bytes.
        bytes: u64,
    },
    /// A transfer ended before its end.
    FileBroken {
        /// Where.
        service: Service,
        /// The file.
        name: String,
        /// Bytes that were sent.
        sent: u64,
        /// Bytes that were due.
        of: u64,
        /// In words; printable.
        why: String,
    },
    /// iPXE got its script.
    ScriptSent {
        /// The script's name.
        name: &'static str,
        /// What it does.
        does: &'static str,
    },
    /// Firmware was sent to its disk by a file that is not there on purpose.
    LedToDisk,
    /// A limit was reached and the client has to try again.
    Busy {
        /// Where.
        service: Service,
        /// Which limit.
        limit: &'static str,
    },
    /// A TLS handshake ended well.
    TlsAccepted(Audience),
    /// A TLS handshake failed.
    TlsFailed {
        /// Who it seemed to be; `None` before the ClientHello was read.
        audience: Option<Audience>,
        /// In words.
        why: String,
    },
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The ordinary course.
    Normal,
    /// Something to look at.
    Warning,
    /// The boot of this host stops here.
    Failure,
}

/// One step of one boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootEvent {
    /// About whom.
    pub who: Who,
    /// What happened.
    pub what: What,
}

impl What {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "boot.malformed",
            Self::Asked { .. } => "dhcp.asked",
            Self::Offered { .. } => "dhcp.offered",
            Self::Acked { .. } => "dhcp.acked",
            Self::Nakked(_) => "dhcp.nakked",
            Self::Ignored(_) => "dhcp.ignored",
            Self::Declined(_) => "dhcp.declined",
            Self::Released(_) => "dhcp.released",
            Self::OtherServer { .. } => "dhcp.other_server",
            Self::LeaseNotDurable(_) => "dhcp.not_durable",
            Self::ReplyFailed { .. } => "boot.reply_failed",
            Self::FileMissing { .. } => "file.missing",
            Self::FileRefused { .. } => "file.refused",
            Self::SizeAsked { .. } => "file.size",
            Self::FileSent { .. } => "file.sent",
            Self::FileBroken { .. } => "file.broken",
            Self::ScriptSent { .. } => "script.sent",
            Self::LedToDisk => "file.led_to_disk",
            Self::Busy { .. } => "boot.busy",
            Self::TlsAccepted(_) => "tls.accepted",
            Self::TlsFailed { .. } => "tls.failed",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Offered { boot, .. } | Self::Acked { boot, .. } => boot.severity(),
            Self::Asked { oddities, .. } if !oddities.is_empty() => Severity::Warning,
            Self::Asked { .. }
            | Self::Released(_)
            | Self::SizeAsked { .. }
            | Self::FileSent { .. }
            | Self::ScriptSent { .. }
            | Self::LedToDisk
            | Self::TlsAccepted(_)
            | Self::Ignored(IgnoreWhy::NoRecord | IgnoreWhy::OtherServer(_)) => Severity::Normal,
            Self::Malformed { .. }
            | Self::Nakked(_)
            | Self::Declined(_)
            | Self::OtherServer { .. }
            | Self::Busy { .. }
            | Self::FileBroken { .. }
            | Self::FileRefused { .. }
            | Self::FileMissing { .. } => Severity::Warning,
            Self::Ignored(_)
            | Self::LeaseNotDurable(_)
            | Self::ReplyFailed { .. }
            | Self::TlsFailed { .. } => Severity::Failure,
        }
    }

    /// The next thing to try, where there is one.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Offered { boot: BootPart::Nothing(why), .. }
            | Self::Acked { boot: BootPart::Nothing(why), .. } => why.advice(),
            Self::OtherServer { .. } => {
                Some("switch the other DHCP server off on this segment, or let it relay to this one")
            }
            Self::Ignored(IgnoreWhy::PoolEmpty) => {
                Some("enlarge the address pool or shorten the lease times")
            }
            Self::Ignored(IgnoreWhy::NoSubnet) => Some("add the relay's subnet to the DHCP configuration"),
            Self::Declined(_) => Some("find the machine that uses the address without a lease"),
            Self::LeaseNotDurable(_) => Some("look at the disk that holds the database"),
            Self::TlsFailed { audience: Some(Audience::Firmware { .. }), .. } => Some(
                "enrol the site's CA in the firmware (TlsCaCertificate), check its clock, or serve this host by HTTP",
            ),
            Self::FileBroken { .. } => Some("check the link; firmware fetches again on its next try"),
            _ => None,
        }
    }
}

impl BootPart {
    fn severity(&self) -> Severity {
        match self {
            Self::File(_) | Self::NotAsked | Self::Nothing(NoFile::LocalDisk) => Severity::Normal,
            Self::Nothing(_) => Severity::Warning,
        }
    }
}

impl NoFile {
    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::LocalDisk => None,
            Self::Denied(_) => Some("look at the host's state"),
            Self::NoInstallerFor(_) | Self::NoArch => Some("switch the machine to x86-64 UEFI network boot"),
            Self::ForeignClass(_) => {
                Some("add the vendor class to the configuration if it belongs to a machine of this site")
            }
            Self::NoBiosLoader => Some("supply undionly.kpxe, or switch the machine to UEFI network boot"),
            Self::Missing(_) => Some("build or add the installer"),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { service, why } => write!(f, "malformed {service} packet dropped: {why}"),
            Self::Asked { kind, class, arch, oddities } => asked(f, (*kind, *class), *arch, oddities),
            Self::Offered { address, boot } => write!(f, "offered {address}{boot}"),
            Self::Acked { address, seconds: Some(seconds), boot } => {
                write!(f, "gave {address} for {seconds} s{boot}")
            }
            Self::Acked { address, seconds: None, boot } => {
                write!(f, "told {address} about this network{boot}")
            }
            Self::Nakked(why) => write!(f, "refused its address: {why}"),
            Self::Ignored(why) => write!(f, "gave no DHCP answer: {why}"),
            Self::Declined(address) => {
                write!(f, "it found another machine at {address}; the address is set aside")
            }
            Self::Released(address) => write!(f, "it gave {address} back"),
            Self::OtherServer { address, how: OtherServer::Heard } => {
                write!(f, "another DHCP server, {address}, answers on this segment")
            }
            Self::OtherServer { address, how: OtherServer::Chosen } => {
                write!(f, "it took its address from another DHCP server, {address}")
            }
            Self::LeaseNotDurable(why) => {
                write!(f, "its lease could not be stored, so it got no answer: {why}")
            }
            Self::ReplyFailed { service, why } => write!(f, "the {service} answer could not be sent: {why}"),
            Self::FileMissing { service, name } => {
                write!(f, "asked by {service} for {name}, which does not exist")
            }
            Self::FileRefused { service, why } => write!(f, "refused a {service} request: {why}"),
            Self::SizeAsked { service, name } => write!(f, "asked by {service} for the size of {name}"),
            Self::FileSent { service, name, bytes } => write!(f, "got {name} by {service}, {bytes} bytes"),
            Self::FileBroken { service, name, sent, of, why } => {
                write!(f, "{name} by {service} broke off after {sent} of {of} bytes: {why}")
            }
            Self::ScriptSent { name, does } => write!(f, "iPXE got {name}: {does}"),
            Self::LedToDisk => write!(f, "its firmware was sent on to the disk"),
            Self::Busy { service, limit } => write!(f, "{service} is busy ({limit}); it has to try again"),
            Self::TlsAccepted(audience) => write!(f, "TLS with {audience}"),
            Self::TlsFailed { audience: Some(audience), why } => {
                write!(f, "TLS with {audience} failed: {why}")
            }
            Self::TlsFailed { audience: None, why } => write!(f, "TLS failed before it began: {why}"),
        }
    }
}

fn asked(
    f: &mut fmt::Formatter<'_>,
    (kind, class): (Kind, Class),
    arch: Option<Arch>,
    oddities: &[String],
) -> fmt::Result {
    let class = match class {
        Class::PxeClient => "PXE firmware",
        Class::HttpClient => "HTTP boot firmware",
        Class::Ipxe => "iPXE",
        Class::Os => "an operating system",
        Class::Other => "other firmware",
    };
    let kind = match kind {
        Kind::Discover => "looks for a DHCP server",
        Kind::Request => "asks for an address",
        Kind::Decline => "declines an address",
        Kind::Release => "releases its address",
        Kind::Inform => "asks for settings",
    };
    write!(f, "{class}")?;
    if let Some(arch) = arch {
        write!(f, " ({arch})")?;
    }
    write!(f, " {kind}")?;
    for oddity in oddities {
        write!(f, "; {oddity}")?;
    }
    Ok(())
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Firmware { curves: Curves::Has } => "firmware",
            Self::Firmware { curves: Curves::None } => "firmware that has no elliptic curves",
            Self::Host => "a host",
            Self::People => "a browser or tool",
        })
    }
}
