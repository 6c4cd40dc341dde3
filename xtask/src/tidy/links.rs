//! Documents point at things that exist: markdown links to files, and paths in backticks.

use super::Finding;
use super::tree::{File, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let documents = tree.files.iter().filter(|f| f.path.ends_with(".md"));
    documents.flat_map(|f| of_document(tree, f)).collect()
}

fn of_document(tree: &Tree, file: &File) -> Vec<Finding> {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut out = Vec::new();
    let mut fenced = false;
    for (at, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for target in links(line).filter(|t| is_local(t)) {
            let target = target.split('#').next().unwrap_or_default();
            if !resolve(folder, target).is_some_and(|p| tree.has(&p)) {
                out.push(Finding::new(&file.path, at + 1, format!("links to {target}, which is not there")));
            }
        }
        for path in spans(line).filter(|s| is_path(tree, s)) {
            if !tree.has(path) {
                out.push(Finding::new(&file.path, at + 1, format!("names {path}, which is not there")));
            }
        }
    }
    out
}

/// The targets of `[text](target)`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The texts between backticks.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn is_local(target: &str) -> bool {
    !target.is_empty()
        && !target.starts_with('#')
        && !target.contains("://")
        && !target.starts_with("mailto:")
}

/// A span that reads as a path of this repository: its first part is one of the root's folders.
fn is_path(tree: &Tree, span: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let Some((first, _)) = span.split_once('/') else { return false };
    let built = span.starts_with("target/");
    !first.is_empty() && !built && span.chars().all(plain) && tree.has(first)
}

/// `target` as seen from `folder`, without `.` and `..`; `None` when it leaves the repository.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::tree::fixture::tree;
    use super::*;

    #[test]
    fn only_missing_targets_are_found() {
        let text = "[a](../src/lib.rs#L1) [b](gone.md) [c](https://x/y) [d](#here)\n\
            `src/lib.rs` `src/none.rs` `and/or` `src/*.rs` `target/x`\n```\n[e](gone.md)\n```\n[f](../../out.md)\n";
        let tree = tree(&[("docs/a.md", text), ("src/lib.rs", "")]);
        let said: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "docs/a.md:1: links to gone.md, which is not there",
                "docs/a.md:2: names src/none.rs, which is not there",
                "docs/a.md:6: links to ../../out.md, which is not there",
            ]
        );
    }
}
