//! Brings the objects of releases into the host's Kubernetes cluster, and keeps them so: server-side apply in order, secrets,
//! pruning, health, drift. Not the fetching of orders, blobs and secrets, nor the report (the agent's), and not what the host
//! runs without Kubernetes (`cairn-runtime`).
//!
//! ```text
//! Order (release, blobs, values) -> applier -> keep -> part, put -> API server
//!                                      ^        |         ^   \-> withdraw (what is no longer wanted)
//!                            mirror ---+--------+---------+        (watches of all that carries an owner's mark)
//!                                               `-> look, health -> ReleaseObserved
//! ```
//!
//! | module | does |
//! |---|---|
//! | [`manifest`], [`fill`], [`order`] | objects of a blob, placeholders of secrets, what comes first. Pure |
//! | [`inventory`], [`owned`], [`refusal`] | what a release has, whose an object is and whether it drifted, what a refusal means. Pure |
//! | [`health`] | whether an object does what it is for. Pure |
//! | [`cluster`], [`kinds`], [`mirror`] | requests, discovery, watches |
//! | [`power`] | virtual machines of KubeVirt |
//!
//! Every object carries label `cairn.dev/deployment` (uid) and annotation `cairn.dev/name`. What a release has is written into
//! ConfigMap `cairn-system/inventory-<uid>` before it is made, so an agent that loses everything can still remove it.

mod applier;
pub mod cluster;
pub mod fill;
pub mod health;
pub mod inventory;
mod keep;
pub mod key;
pub mod kinds;
mod lines;
mod look;
pub mod manifest;
pub mod mirror;
pub mod order;
pub mod owned;
mod part;
mod ports;
pub mod power;
mod put;
pub mod refusal;
mod store;
pub mod wanted;
mod withdraw;

pub use applier::Applier;
pub use cluster::ConnectError;
pub use power::{Power, PowerError};
pub use wanted::{Order, Values};

// All objects here are dynamic; kube's own types want a version of Kubernetes' chosen.
use k8s_openapi as _;
