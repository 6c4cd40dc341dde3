//! A host works: bundles become artifacts, and running agents are heard.
//!
//! ```text
//!  bundle (.cairn) --bundle::open--> parts --compose--> signed UKI + prediction --+--> installer: boot files
//!                                                                                 +--> image: ESP, frames, manifest
//!  installer reports, agent heartbeats --gateway--> facts --> driver
//! resources + rows --orchestrate--> what each host is told --desk--> hosts, which say what they run
//! ```
//! Not here: HTTP (the server crate maps paths to these calls), evidence (trust), states (domain).

pub mod bundle;
pub mod compose;
pub mod desk;
pub mod frames;
pub mod gateway;
pub mod import;
mod leash;
pub mod orchestrate;
pub mod render;
mod troubles;
pub mod tunnel;

pub use desk::{Desk, DeskError};
pub use gateway::Gateway;
pub use import::{ImportError, Imported, Importer};
pub use leash::Leashes;
pub use orchestrate::{Leads, Orchestrator};
pub use render::Renderer;
pub use tunnel::Tunnels;
