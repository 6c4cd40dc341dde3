//! YAML and JSON files of resources: in (bounded, with the place of each fault) and out (always in the same order).
//!
//! Not here: what a resource must hold; the server checks that. ADR: serde-saphyr, because it alone bounds depth, nodes,
//! aliases and their replay while it reads.

mod read;
mod write;

pub(crate) use read::{MAX_BYTES, read};
pub(crate) use write::write;
