//! A host works: bundles become artifacts, and running agents are heard.
//!
//! ```text
//!  bundle (.cairn) --bundle::open--> parts --compose--> signed UKI + prediction --+--> installer: boot files
//!                                                                                 +--> image: ESP, frames, manifest
//!  installer reports, agent heartbeats --gateway--> facts --> driver
//! ```
//! Not here: HTTP (the server crate maps paths to these calls), evidence (trust), states (domain).

pub mod bundle;
pub mod compose;
pub mod frames;
pub mod gateway;
pub mod import;
mod leash;
mod troubles;
pub mod tunnel;

pub use gateway::Gateway;
pub use import::{ImportError, Imported, Importer};
pub use leash::Leashes;
pub use tunnel::Tunnels;
