//! L0 and L1 turn values into values: no runtime, files, network, clock or randomness of their own.

use super::Finding;
use super::tree::{Member, Tree};

/// Crates that bring what L0 and L1 must not have.
const IMPURE_CRATES: [&str; 11] = [
    "tokio",
    "tokio-util",
    "hyper",
    "hyper-util",
    "axum",
    "socket2",
    "nix",
    "libc",
    "getrandom",
    "rand",
    "sqlx",
];

/// Paths of the standard library that reach outside.
const IMPURE_PATHS: [&str; 10] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime::now",
    "Instant::now",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "OsRng",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let pure = |m: &&Member| matches!(m.layer.as_deref(), Some("L0" | "L1"));
    tree.members.iter().filter(pure).flat_map(|m| [crates(m), paths(tree, m)].concat()).collect()
}

fn crates(member: &Member) -> Vec<Finding> {
    let manifest = format!("{}/Cargo.toml", member.folder);
    let bad = member.uses.iter().filter(|(name, _)| IMPURE_CRATES.contains(&name.as_str()));
    bad.map(|(name, _)| Finding::new(&manifest, 0, format!("a pure crate must not use {name}"))).collect()
}

fn paths(tree: &Tree, member: &Member) -> Vec<Finding> {
    let mut out = Vec::new();
    let own = |path: &str| tree.member_of(path).is_some_and(|m| m.folder == member.folder);
    for file in tree.rust().filter(|f| own(&f.path) && !f.is_test()) {
        for (number, line) in file.code_lines() {
            let code = line.split("//").next().unwrap_or_default();
            for bad in IMPURE_PATHS.iter().filter(|p| code.contains(*p)) {
                out.push(Finding::new(&file.path, number, format!("a pure crate must not use {bad}")));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tree::fixture::{member, tree};
    use super::*;

    #[test]
    fn files_and_clocks_are_found_outside_tests_and_comments() {
        let text =
            "// std::fs is not for us\nuse std::fs;\nfn f() {}\n#[cfg(test)]\nmod tests { use std::env; }\n";
        let mut tree = tree(&[("a/b/src/lib.rs", text), ("a/c/src/lib.rs", "use std::fs;")]);
        tree.members = vec![member("a/b", "L0", &["tokio", "serde"]), member("a/c", "L2", &["tokio"])];
        let said: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "a/b/Cargo.toml: a pure crate must not use tokio",
                "a/b/src/lib.rs:2: a pure crate must not use std::fs"
            ]
        );
    }
}
