//! What hosts are told to run, as a total function: no I/O, no clock, no randomness, no `async`.
//!
//! ```text
//! resources (index) --+
//! rows: told, said  --+--> plan() --> orders to hosts, statuses, renderings, tokens and clusters to be made
//! rendered, tokens  --+
//! rows of one host  -----> desired() --> what that host fetches
//! ```
//! Nothing here remembers steps: each plan compares again what is desired with what each host was told and what it said. The one
//! memory beside the rows is the status that an earlier plan gave (which batch of a rollout was reached, since when a node
//! leaves, what a cluster was made from).
//!
//! Not here: writing rows and statuses, rendering, drawing tokens (fleet's orchestrator, which calls this), carrying orders out
//! (the agent).

mod builtin;
mod catalog;
mod cluster;
mod condition;
mod deployment;
mod desired;
mod kubevirt;
mod labels;
mod parameters;
mod plan;
mod problem;
mod release;
mod rows;
mod secrets;
mod sites;
mod state;
mod substitute;
mod world;

pub use builtin::{BUILT_IN, BuiltIn};
pub use cluster::{LEAVE_DEADLINE_MS, control_plane};
pub use deployment::{Preview, Promise, addon_uid, preview};
pub use desired::desired;
pub use kubevirt::virtual_machine;
pub use plan::{Order, Plan, Render, RenderInput, WantedCluster, WantedToken, plan};
pub use problem::Problem;
pub use secrets::{SecretAt, secrets};
pub use substitute::{SubstituteError, substitute};
pub use world::{Assignment, Body, Rendered, RowError, Said, Token, World};
