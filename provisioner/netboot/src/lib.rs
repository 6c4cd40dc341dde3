//! A host without an OS: DHCPv4, TFTP, HTTP and HTTPS boot.
//!
//! ```text
//!  firmware --DHCP--> dhcp::Dhcp --lease::decide--> LeaseStore::commit --> ACK
//!                        |  Directory::answer (snapshot) + choice::choose --> boot file or reason
//!                        +--> Neighbours (address -> machine)
//!  firmware --TFTP--> tftp::Tftp --+--> Shelf (names -> bytes), scripts for the machine that asks
//!  firmware --HTTP--> http::BootHttp-+
//!  firmware --TLS---> tls::classify, tls::firmware_config (the server crate owns the port)
//!  every step --> Observer::observe(BootEvent)
//! ```
//!
//! What it is not: it decides nothing about hosts (that is `cairn-domain`, through [`Directory`]) and keeps nothing
//! (that is `cairn-store`, through [`LeaseStore`]). Each service is `Config -> bind() -> run(stop)`; without a `Config`
//! there is no socket.

mod choice;
pub mod dhcp;
mod directory;
mod event;
pub mod http;
pub mod lease;
mod neighbours;
mod observer;
mod scripts;
mod shelf;
pub mod tftp;
pub mod tls;

pub use choice::{Scheme, Site};
pub use directory::{BootAnswer, BootClient, BootFiles, Directory, DiskWay};
pub use event::{BootEvent, BootPart, NoFile, OtherServer, Service, Severity, What, Who};
pub use lease::{Lease, LeaseStore, LeaseStoreError, Record};
pub use neighbours::Neighbours;
pub use observer::{Drops, EventQueue, Observer};
pub use shelf::{Artifacts, Blob, Content, Folder, Shelf};

use std::sync::Arc;

use cairn_contract::Timestamp;

/// What all boot services share. Cheap to clone.
#[derive(Clone)]
pub struct Parts {
    /// Who boots what.
    pub directory: Arc<dyn Directory>,
    /// Who is told.
    pub observer: Arc<dyn Observer>,
    /// Who has which address.
    pub neighbours: Arc<Neighbours>,
    /// Which files there are.
    pub shelf: Arc<Shelf>,
    /// How this site is reached.
    pub site: Arc<Site>,
    /// The time; a program's clock module supplies it.
    pub clock: fn() -> Timestamp,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("site", &self.site).field("shelf", &self.shelf).finish_non_exhaustive()
    }
}
