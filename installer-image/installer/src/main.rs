//! `cairn-installer`.

fn main() {}
