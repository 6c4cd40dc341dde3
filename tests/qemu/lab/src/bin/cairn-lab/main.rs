//! `cairn-lab`.

fn main() {}
