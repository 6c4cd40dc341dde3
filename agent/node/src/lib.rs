//! A host becomes a node of a Kubernetes cluster, and stops being one, as [`NodeDesired`](cairn_contract::workload::NodeDesired)
//! says. Not a decision about which hosts form a cluster (the provisioner's), and nothing about one distribution: those are data.
//!
//! ```text
//! NodeDesired --filled--> plan(order, found) --> steps --execute--> this machine
//!                              ^                                        |
//!                              `------------- state.json, disk ---------'
//! control plane: duties --> decide(orders, what the API has) --> tokens, CSRs, nodes
//! ```
//!
//! Every pass plans again from what is there, so that restart, crash and change are one path. `cairn-agent` runs one [`Node`].
//!
//! | module | does |
//! |---|---|
//! | [`words`] | fills `{{name}}` |
//! | [`order`] | the filled distribution for one role |
//! | [`plan`] | steps from an order and what is found; pure |
//! | [`place`] | artifacts by digest: fetch, check, put, unpack |
//! | [`secrets`] | join tokens, in memory only |
//! | [`control`] | a control plane's duties: tokens, CSRs, discovery, leaving nodes |

// kube asks that somebody chooses the version of its types.
use k8s_openapi as _;

mod clock;
pub mod control;
mod execute;
mod failure;
mod found;
mod join;
mod leave;
mod node;
pub mod order;
pub mod place;
pub mod plan;
mod program;
pub mod secrets;
mod state;
pub mod words;

pub use failure::Failure;
pub use node::{Node, OpenError, Settings};
pub use place::{Blobs, FetchError, Sink};
pub use secrets::{Token, Tokens, TokensError};
