//! Stories told to virtual hosts.

fn main() {}
