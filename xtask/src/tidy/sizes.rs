//! File and function sizes, and the `//!` that opens a file. Clippy counts functions exactly; this is the outer bound.

use super::Finding;
use super::tree::{File, Tree};

const FILE_LINES: usize = 600;
/// With comments and blank lines; clippy's 60 is without.
const FUNCTION_LINES: usize = 90;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust().flat_map(|f| [file_size(f), opening(f), functions(f)].concat()).collect()
}

fn file_size(file: &File) -> Vec<Finding> {
    let lines = file.text.lines().count();
    if lines <= FILE_LINES {
        return Vec::new();
    }
    vec![Finding::new(&file.path, 0, format!("has {lines} lines; the limit is {FILE_LINES}"))]
}

fn opening(file: &File) -> Vec<Finding> {
    // A crate attribute or `#![no_main]` may stand first.
    let first = file.text.lines().find(|l| !l.is_empty() && !l.starts_with("#!["));
    if first.is_some_and(|l| l.starts_with("//!")) {
        return Vec::new();
    }
    vec![Finding::new(&file.path, 1, "does not open with `//!`: what it is, what it is not, who calls it")]
}

/// Relies on rustfmt: a function ends at the first closing brace as deep as its `fn`.
fn functions(file: &File) -> Vec<Finding> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut out = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        if !is_function(code) || code.ends_with(';') || code.ends_with('}') {
            continue;
        }
        let end = format!("{}}}", " ".repeat(line.len() - code.len()));
        let length = lines.iter().skip(at).position(|l| **l == end).map_or(0, |n| n + 1);
        if length > FUNCTION_LINES {
            out.push(Finding::new(
                &file.path,
                at + 1,
                format!("a function of {length} lines; the limit is {FUNCTION_LINES}"),
            ));
        }
    }
    out
}

fn is_function(code: &str) -> bool {
    let mut words = code.split_whitespace().skip_while(|w| {
        w.starts_with("pub")
            || ["const", "async", "unsafe", "extern", "\"C\"", "crate)", "super)"].contains(w)
    });
    words.next() == Some("fn")
}

#[cfg(test)]
mod tests {
    use super::super::tree::fixture::tree;
    use super::*;

    fn said(text: &str) -> Vec<String> {
        check(&tree(&[("a.rs", text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_small_documented_file_is_fine() {
        assert!(said("//! What.\n\npub(crate) async fn f() {\n    g();\n}\n").is_empty());
    }

    #[test]
    fn a_file_that_does_not_say_what_it_is_is_found() {
        assert_eq!(said("use a;\n").len(), 1);
        assert_eq!(said("").len(), 1);
    }

    #[test]
    fn long_functions_and_files_are_found() {
        let body = "    g();\n".repeat(FUNCTION_LINES);
        let text = format!("//! What.\nfn f() {{\n{body}}}\n");
        assert_eq!(said(&text), ["a.rs:2: a function of 92 lines; the limit is 90"]);
        assert_eq!(said(&format!("//! What.\n{}", "// x\n".repeat(FILE_LINES))).len(), 1);
    }
}
