//! `cargo xtask`: the one entry for people and CI.

fn main() {}
