//! `cairn-agent`.

fn main() {}
