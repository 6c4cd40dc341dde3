//! What a host and the provisioner say to each other, version 1.
//!
//! Types and their bytes only: no network, no clock, no randomness. Both ends link this crate, so that the wire has
//! one definition; `tests/fixtures/` holds old bytes that must go on loading.
//!
//! ```text
//! host                                             provisioner            (TLS, ALPN "cairn-host/1", HTTP/2 or 1.1)
//!  | POST /host/v1/hello      Hello          -->  HelloReply   EK + AK claimed -> challenge, or wait, or refused
//!  |   TPM2_ActivateCredential, TPM2_Quote(attest::quote_binding)
//!  | POST /host/v1/evidence   Evidence       -->  Verdict      sealed plan (installer; install or wipe) | certificate (OS) | refused
//!  | GET  /artifacts/sha256/X (Range, plain HTTP: every frame is checked against the signed manifest)
//!  | POST /host/v1/report     Report         -->  ReportReply  bearer: SessionKey::report_token
//!  | POST /host/v1/wiped    WipeProof      -->  ReportReply  the proof stands for itself
//!  | POST /host/v1/trouble    Trouble        -->  204          unproven, for the timeline only
//!  | POST /host/v1/heartbeat  Heartbeat      -->  HeartbeatReply   (agent, client certificate)
//!  | POST /host/v1/inventory  Inventory      -->  204              (agent, client certificate)
//! ```
//! What it is to run comes by further paths: see [`workload`].

pub mod agent;
pub mod attest;
pub mod ids;
pub mod image;
pub mod inventory;
pub mod plan;
pub mod report;
pub mod sealed;
pub mod signed;
pub mod wipe;
pub mod workload;

pub use agent::{Heartbeat, HeartbeatReply};
pub use attest::{Evidence, Hello, HelloReply, Stage, Verdict};
pub use ids::{Digest, Hex, HostId, InstallId, Mac, Timestamp};
pub use image::{Frame, ImageManifest, PartitionImage, Role};
pub use inventory::{Inventory, Smbios};
pub use plan::{DiskSelector, HostFile, Plan, SiteTrust};
pub use report::{Report, ReportReply, Trouble};
pub use sealed::{Sealed, SessionKey};
pub use signed::Signed;
pub use wipe::{WipePlan, WipeProof, WipeReport};

/// ALPN protocol by which a host (installer or agent) is told apart from firmware and people.
pub const ALPN_HOST: &[u8] = b"cairn-host/1";

/// DNS name in the provisioner's host-side certificate; hosts connect by IP and verify this name.
pub const SERVER_NAME: &str = "provisioner.cairn.internal";

/// Largest JSON body that either end reads, in bytes.
pub const MAX_BODY: usize = 1 << 20;
