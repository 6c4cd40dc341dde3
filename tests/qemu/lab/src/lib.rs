//! Virtual bare-metal hosts: firmware, TPM, disks and a network of their own, with verbs to power them on, watch them and
//! break them.
//!
//! ```text
//! Net (namespace, bridge 10.77.0.1/24) --- Site (`cairn serve`)
//!  └─ tap ── Guest ── start() ──> Running: serial transcript, QMP, power_cut()
//!             ├─ Firmware (OVMF, OVMF with Secure Boot, SeaBIOS + iPXE) and its variables (`vars`)
//!             ├─ Disk (virtio, NVMe, USB)
//!             └─ Tpm (swtpm, EK certificates from a TpmCa)
//! ```
//!
//! It is synchronous on purpose: a guest is a process, a serial line is a thread. It shares no code with the product, so
//! that one mistake cannot hide on both sides. It needs root (namespaces and taps); `cargo test` of this crate does not.
//! Used by the bin `cairn-lab` (`cargo xtask lab`) and by `cairn-scenarios`.

mod arguments;
mod child;
mod disk;
pub mod esl;
mod faults;
mod firmware;
mod guest;
mod net;
pub mod oci;
mod patience;
mod qmp;
mod running;
mod serial;
mod site;
mod tool;
mod tpm;
mod tpm_ca;
mod transcript;
pub mod vars;
mod wire;
mod workspace;

pub use child::{Leash, Owned};
pub use disk::{Bus, Disk, DiskError};
pub use faults::{Cable, FaultError};
pub use firmware::{Firmware, NetBoot};
pub use guest::{Guest, StartError};
pub use net::{Net, NetError, Tap};
pub use patience::Stage;
pub use qmp::{Qmp, QmpError};
pub use running::Running;
pub use serial::Splitter;
pub use site::{CallError, Ready, Site, SiteConfig, SiteError};
pub use tool::ToolError;
pub use tpm::{Tpm, TpmError};
pub use tpm_ca::TpmCa;
pub use transcript::{Line, StageError, Transcript};
pub use wire::{Tally, Weather};
pub use workspace::{Workspace, WorkspaceError};
