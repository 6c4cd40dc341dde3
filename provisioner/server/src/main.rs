//! `cairn`: wiring only.

fn main() {}
