//! YAML (or JSON) documents of one file. All bounds are on what a file may cost: aliases that repeat themselves without end, depth,
//! number and size.

use serde_json::Value;
use serde_saphyr::{DuplicateKeyPolicy, Options};

use super::{Fault, MAX_OUTPUT};

/// Documents of one file.
const MAX_DOCUMENTS: usize = 5000;
/// Lists and maps in each other.
const MAX_DEPTH: usize = 64;
/// Values of one document, repeated ones included.
const MAX_NODES: usize = 500_000;
/// Values that aliases may repeat, over the whole file.
const MAX_REPEATED: usize = 100_000;

/// All documents that are not empty.
pub fn read(name: &str, bytes: &[u8]) -> Result<Vec<Value>, Fault> {
    if bytes.len() > MAX_OUTPUT {
        return Err(Fault::new("TooLarge", format!("{name} is larger than {} MiB", MAX_OUTPUT >> 20)));
    }
    let mut reader = std::io::Cursor::new(bytes);
    let mut documents = Vec::new();
    for next in serde_saphyr::read_with_options::<_, Value>(&mut reader, options()) {
        if documents.len() >= MAX_DOCUMENTS {
            return Err(Fault::new("TooLarge", format!("{name} holds more than {MAX_DOCUMENTS} documents")));
        }
        let document = next.map_err(|e| fault(name, &e))?;
        if !document.is_null() {
            documents.push(document);
        }
    }
    Ok(documents)
}

fn options() -> Options {
    let budget = serde_saphyr::budget! {
        max_reader_input_bytes: Some(MAX_OUTPUT + 4),
        max_depth: MAX_DEPTH,
        flow_nesting_limit: MAX_DEPTH,
        max_nodes: MAX_NODES,
        max_events: 2 * MAX_NODES,
        max_aliases: 10_000,
        max_anchors: 10_000,
        max_merge_keys: 10_000,
        max_recorded_anchor_events: MAX_REPEATED,
        max_recorded_anchor_bytes: 2 * MAX_OUTPUT,
        max_documents: MAX_DOCUMENTS + 2,
        max_total_scalar_bytes: 2 * MAX_OUTPUT,
        enforce_alias_anchor_ratio: false,
    };
    let alias_limits = serde_saphyr::alias_limits! {
        max_total_replayed_events: MAX_REPEATED,
        max_replay_stack_depth: 16,
    };
    // As kubectl reads: `defaultMode: 0644` is octal.
    serde_saphyr::options! {
        budget: budget,
        alias_limits: alias_limits,
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        legacy_octal_numbers: true,
    }
}

fn fault(name: &str, error: &serde_saphyr::Error) -> Fault {
    let line = error.location().map_or(0, |l| l.line());
    let whole = error.without_snippet().to_string();
    let what = whole.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("; ");
    Fault::new("YamlInvalid", format!("{name}, line {line}: {what}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_split_and_empty_ones_left_out() {
        let text = "# nothing\n---\na: 1\n---\n---\nb: 0644\nc: no\n";
        assert_eq!(read("x", text.as_bytes()).unwrap(), [json!({"a": 1}), json!({"b": 420, "c": "no"})]);
        assert_eq!(read("x", br#"{"a": [1, {"b": null}]}"#).unwrap(), [json!({"a": [1, {"b": null}]})]);
    }

    #[test]
    fn bombs_are_refused_and_the_place_is_told() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..12 {
            let refs = vec![format!("*a{}", n - 1); 10].join(", ");
            bomb += &format!("a{n}: &a{n} [{refs}]\n");
        }
        let deep = format!("a: {}{}", "[".repeat(1000), "]".repeat(1000));
        let many = "--- {}\n".repeat(MAX_DOCUMENTS + 1);
        for bad in [bomb.as_str(), &deep, &many, "a: 1\na: 2\n", "a: [1\nb: 2\n", "a: *b\n"] {
            let fault = read("f.yaml", bad.as_bytes()).unwrap_err();
            assert!(["YamlInvalid", "TooLarge"].contains(&fault.reason), "{fault:?}");
            assert!(fault.message.contains("f.yaml") && fault.message.len() < 1000, "{fault:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = read("x", &bytes);
        }

        #[test]
        fn any_text_like_yaml_is_read_or_refused(text in "[-a:&*\\[\\]{}!|>'\" \\n]{0,60}") {
            let _ = read("x", text.as_bytes());
        }
    }
}
