//! Every decision of the provisioner, as total functions: no I/O, no clock, no randomness, no `async`.
//!
//! ```text
//!  leaf crates -- Fact --> driver -- identify() --> which host
//!                                 -- host::step() --> next State + Effects, committed with the Note on the timeline
//!  netboot reads boot::answer() of the last snapshot
//! ```

pub mod access;
pub mod admit;
pub mod audit;
pub mod boot;
pub mod cidr;
pub mod claim;
pub mod fact;
pub mod glob;
pub mod host;
pub mod identify;
pub mod import;
pub mod index;
pub mod model;
pub mod name;
pub mod nearest;
pub mod package;
pub mod policies;
pub mod policy;
pub mod selector;
pub mod timeline;
pub mod window;

pub use fact::{Fact, Level, Note, Subject};
pub use host::{Effect, Event, Host, HostSpec, State, Why};
pub use policy::Policy;
