//! What packages mean, apart from where they go: their versions, and the values of their parameters.
//!
//! Read by admission (are the defaults valid?) and by the planner (`cairn-workload`: what does a target get?), so that both say
//! the same.

mod parameter;
mod version;

pub use parameter::{Checks, SecretRef, ValueError, is_parameter_name};
pub use version::{Version, VersionError};
