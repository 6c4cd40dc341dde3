//! The table of docs/registry.md names these tests and no others, so it cannot rot.

use std::collections::BTreeSet;

const SOURCES: [&str; 4] = [
    include_str!("pull.rs"),
    include_str!("push.rs"),
    include_str!("discovery.rs"),
    include_str!("management.rs"),
];
const DOCUMENT: &str = include_str!("../../../../docs/registry.md");

#[test]
fn the_documents_table_names_each_test_and_no_other() {
    let functions = SOURCES
        .iter()
        .flat_map(|source| source.lines())
        .filter_map(|line| line.strip_prefix("async fn ").and_then(|rest| rest.split('(').next()));
    let tests: BTreeSet<&str> =
        functions.filter(|name| name.split('_').nth(1).is_some_and(is_number)).collect();
    let rows = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let rows: Vec<&str> = rows.filter(|name| name.split('_').nth(1).is_some_and(is_number)).collect();
    assert_eq!(rows.iter().copied().collect::<BTreeSet<_>>(), tests);
    assert_eq!(rows.len(), tests.len(), "a row twice");
    assert!(tests.len() > 40);
}

#[test]
fn each_row_says_a_result() {
    let rows = DOCUMENT.lines().filter(|line| {
        line.strip_prefix("| `").and_then(|rest| rest.split('_').nth(1)).is_some_and(is_number)
    });
    for row in rows {
        let result = row.trim_end_matches('|').rsplit('|').next().unwrap().trim();
        assert!(result.starts_with("passes"), "{row}");
    }
}

fn is_number(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())
}
