//! No shell script does the product's work. `.ci/run`, which only calls `cargo xtask test`, is the one exception.

use super::Finding;
use super::tree::{File, Tree};

const ALLOWED: &str = ".ci/run";
/// More than a shebang, a comment or two and one command is logic.
const ALLOWED_LINES: usize = 12;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files.iter().filter_map(of_file).collect()
}

fn of_file(file: &File) -> Option<Finding> {
    if file.path == ALLOWED {
        let lines = file.text.lines().count();
        return (lines > ALLOWED_LINES)
            .then(|| Finding::new(&file.path, 0, "does more than call cargo xtask test"));
    }
    let suffix = [".sh", ".bash", "Makefile", "justfile"].iter().any(|s| file.path.ends_with(s));
    let shebang =
        file.text.lines().next().is_some_and(|l| l.starts_with("#!/") && l.trim_end().ends_with("sh"));
    (suffix || shebang)
        .then(|| Finding::new(&file.path, 0, "is a shell script; make it a verb of xtask or of a program"))
}

#[cfg(test)]
mod tests {
    use super::super::tree::fixture::tree;
    use super::*;

    #[test]
    fn scripts_are_found_by_name_and_by_first_line() {
        let run = "#!/bin/sh\nexec cargo xtask test\n";
        let files = [
            (".ci/run", run),
            ("a/build.sh", "echo\n"),
            ("b/tool", "#!/usr/bin/env bash\n"),
            ("c.rs", "//! x\n"),
        ];
        let said: Vec<String> = check(&tree(&files)).into_iter().map(|f| f.path).collect();
        assert_eq!(said, ["a/build.sh", "b/tool"]);
    }
}
