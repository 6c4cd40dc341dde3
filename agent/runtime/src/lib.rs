//! What a host runs itself, without Kubernetes: units, containers on containerd, virtual machines under QEMU.
//!
//! Not decisions about which host runs what (the provisioner's) and not Kubernetes (`agent/node`, `agent/applier`). `cairn-agent`
//! calls it; the node uses its [`units`]. No shell anywhere: programs with arguments.
//!
//! | module | does |
//! |---|---|
//! | [`units`] | keeps programs running, under systemd or by itself |
//! | [`image`] | images from a registry or an archive, checked, into containerd |
//! | [`container`] | containers, their networks, programs in them |
//! | [`vm`] | virtual machines under QEMU |
//! | [`Runtime`] | the one front of containers and machines |
//! | [`log`] | bounded log files: turn over, tail, follow |
//! | [`probe`] | asks whether a condition of a running part holds |

mod clock;
pub mod container;
mod engine;
mod front;
pub mod image;
pub mod log;
pub mod probe;
mod process;
pub mod units;
pub mod vm;

pub use engine::{Engine, EngineError};
pub use front::{Config, Runtime, RuntimeError, Seen};
