//! Dependencies that nothing uses: of the workspace's table, and of each crate.

use super::Finding;
use super::tree::{Member, Tree};

const ROOT: &str = "Cargo.toml";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut out = of_workspace(tree);
    out.extend(tree.members.iter().flat_map(|m| of_member(tree, m)));
    out
}

fn of_workspace(tree: &Tree) -> Vec<Finding> {
    let Some(root) = tree.file(ROOT).and_then(|f| f.text.parse::<toml::Table>().ok()) else {
        return Vec::new();
    };
    let table = root.get("workspace").and_then(|w| w.get("dependencies")).and_then(toml::Value::as_table);
    let names = table.into_iter().flat_map(|t| t.keys());
    let unused = names.filter(|name| {
        let code_name = name.replace('-', "_");
        !tree
            .members
            .iter()
            .any(|m| m.uses.iter().chain(&m.uses_in_tests).any(|(_, used)| *used == code_name))
    });
    unused
        .map(|name| Finding::new(ROOT, 0, format!("no crate uses the workspace's dependency {name}")))
        .collect()
}

fn of_member(tree: &Tree, member: &Member) -> Vec<Finding> {
    let own = |path: &str| tree.member_of(path).is_some_and(|m| m.folder == member.folder);
    let code: Vec<&str> = tree.rust().filter(|f| own(&f.path)).map(|f| f.text.as_str()).collect();
    let all = member.uses.iter().chain(&member.uses_in_tests);
    let unused = all.filter(|(_, name)| !code.iter().any(|text| mentions(text, name)));
    let manifest = format!("{}/Cargo.toml", member.folder);
    unused.map(|(package, _)| Finding::new(&manifest, 0, format!("{package} is not used"))).collect()
}

/// Whether code, not a comment, holds `name` as a whole word.
fn mentions(text: &str, name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text.lines().map(|l| l.split("//").next().unwrap_or_default()).any(|line| {
        line.match_indices(name).any(|(at, _)| {
            let before = line.get(..at).and_then(|s| s.chars().next_back());
            let after = line.get(at + name.len()..).and_then(|s| s.chars().next());
            !before.is_some_and(word) && !after.is_some_and(word)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::fixture::{member, tree};
    use super::*;

    #[test]
    fn unused_dependencies_are_found_in_both_tables() {
        let root = "[workspace.dependencies]\nserde = \"1\"\ntoml = \"1\"\n";
        let mut tree =
            tree(&[("Cargo.toml", root), ("a/b/src/lib.rs", "// serde_json is nice\nuse serde::X;\n")]);
        tree.members = vec![member("a/b", "L0", &["serde", "serde_json"])];
        let said: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "Cargo.toml: no crate uses the workspace's dependency toml",
                "a/b/Cargo.toml: serde_json is not used"
            ]
        );
    }
}
