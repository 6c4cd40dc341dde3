//! From resources to what hosts are told, and back: over a real store, driver, planner and desk.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod clusters;
mod containers;
mod refused;
mod rendering;
mod site;
mod waiting;
