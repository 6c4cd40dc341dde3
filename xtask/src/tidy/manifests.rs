//! Each crate inherits the workspace's lints and its metadata, and is a member.

use super::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.members
        .iter()
        .filter_map(|m| tree.file(&format!("{}/Cargo.toml", m.folder)))
        .flat_map(|f| {
            let Ok(manifest) = f.text.parse::<toml::Table>() else {
                return vec![Finding::new(&f.path, 0, "is not TOML")];
            };
            let inherits = |table: &str, key: &[&str]| {
                let mut value = manifest.get(table);
                for part in key {
                    value = value.and_then(|v| v.get(part));
                }
                value.and_then(toml::Value::as_bool) == Some(true)
            };
            let mut out = Vec::new();
            if !inherits("lints", &["workspace"]) {
                out.push(Finding::new(&f.path, 0, "does not inherit the lints: [lints] workspace = true"));
            }
            for key in ["version", "edition", "rust-version", "license", "publish"] {
                if !inherits("package", &[key, "workspace"]) {
                    out.push(Finding::new(
                        &f.path,
                        0,
                        format!("does not inherit {key}: {key}.workspace = true"),
                    ));
                }
            }
            out
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::fixture::{member, tree};
    use super::*;

    #[test]
    fn a_crate_with_lints_of_its_own_is_found() {
        let package = "[package]\nname = \"x\"\nversion.workspace = true\nedition.workspace = true\n\
            rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n";
        let good = format!("{package}[lints]\nworkspace = true\n");
        let mut tree = tree(&[("a/b/Cargo.toml", &good), ("a/c/Cargo.toml", package)]);
        tree.members = vec![member("a/b", "L0", &[]), member("a/c", "L0", &[])];
        let said: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(said, ["a/c/Cargo.toml: does not inherit the lints: [lints] workspace = true"]);
    }
}
