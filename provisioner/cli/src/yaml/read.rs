//! Reads the documents of one file. All bounds are on what a file may cost, not on what it may say.

use serde_json::Value;
use serde_saphyr::{DuplicateKeyPolicy, Options, Spanned};

/// Bytes of one file.
pub(crate) const MAX_BYTES: usize = 4 << 20;
/// Documents of one file, and items of its lists.
pub(crate) const MAX_DOCUMENTS: usize = 10_000;
/// Lists and maps in each other.
const MAX_DEPTH: usize = 64;
/// Values of one document, repeated ones included.
const MAX_NODES: usize = 500_000;
/// Values that aliases may repeat, over the whole file.
const MAX_REPEATED: usize = 100_000;

/// One value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    /// Counted from 1; empty documents do not count.
    pub(crate) number: usize,
    /// Counted from 1.
    pub(crate) line: u64,
    pub(crate) value: Value,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// More than [`MAX_BYTES`].
    #[error("it is larger than 4 MiB")]
    TooLarge,
    /// More than [`MAX_DOCUMENTS`].
    #[error("it holds more than {MAX_DOCUMENTS} documents")]
    TooMany,
    /// Neither YAML nor JSON, or too deep, or with too many aliases.
    #[error("document {number}, line {line}: {what}")]
    Syntax {
        /// Which document, from 1.
        number: usize,
        /// Which line of the file, from 1.
        line: u64,
        /// One line.
        what: String,
    },
}

/// All documents of `bytes`. JSON is YAML too.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Document>, ReadError> {
    if bytes.len() > MAX_BYTES {
        return Err(ReadError::TooLarge);
    }
    let mut reader = std::io::Cursor::new(bytes);
    let mut documents: Vec<Document> = Vec::new();
    for next in serde_saphyr::read_with_options::<_, Spanned<Value>>(&mut reader, options()) {
        let number = documents.len() + 1;
        if number > MAX_DOCUMENTS {
            return Err(ReadError::TooMany);
        }
        let spanned = next.map_err(|e| fault(&e, number))?;
        let line = spanned.referenced.line();
        let value = spanned.value;
        documents.push(Document { number, line, value });
    }
    Ok(documents)
}

fn options() -> Options {
    let budget = serde_saphyr::budget! {
        max_reader_input_bytes: Some(MAX_BYTES + 4),
        max_depth: MAX_DEPTH,
        flow_nesting_limit: MAX_DEPTH,
        max_nodes: MAX_NODES,
        max_events: 2 * MAX_NODES,
        max_aliases: 10_000,
        max_anchors: 10_000,
        max_merge_keys: 10_000,
        max_recorded_anchor_events: MAX_REPEATED,
        max_recorded_anchor_bytes: 2 * MAX_BYTES,
        max_documents: MAX_DOCUMENTS + 1,
        max_total_scalar_bytes: 2 * MAX_BYTES,
        enforce_alias_anchor_ratio: false,
    };
    let alias_limits = serde_saphyr::alias_limits! {
        max_total_replayed_events: MAX_REPEATED,
        max_replay_stack_depth: 16,
    };
    // Serial numbers such as 0755 or 1_000 are text; so are yes and no.
    serde_saphyr::options! {
        budget: budget,
        alias_limits: alias_limits,
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    }
}

fn fault(error: &serde_saphyr::Error, number: usize) -> ReadError {
    let line = error.location().map_or(0, |l| l.line());
    let whole = error.without_snippet().to_string();
    let what = whole.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("; ");
    ReadError::Syntax { number, line, what: cairn_domain::fact::plain(&what, 300) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn refused(text: &str) -> String {
        read(text.as_bytes()).map(|d| d.len()).unwrap_err().to_string()
    }

    #[test]
    fn documents_come_with_their_number_and_line() {
        let text = "# c\na: 1\n---\n---\nb:\n  - x\n---\n{\"c\": {\"d\": null}}\n";
        let all = read(text.as_bytes()).unwrap();
        assert_eq!(all.iter().map(|d| (d.number, d.line)).collect::<Vec<_>>(), [(1, 2), (2, 5), (3, 8)]);
        assert_eq!(all[2].value, json!({"c": {"d": null}}));
        assert_eq!(read(b"").unwrap(), []);
    }

    #[test]
    fn what_looks_like_a_number_and_is_a_serial_number_stays_text() {
        let text =
            "a: 0755\nb: 1_000\nc: no\nd: 52:54:00:12:34:56\ne: 12\nf: true\ng: \"1\"\nh: ~\ni: 2026-11-22\n";
        let want = json!({"a": "0755", "b": "1_000", "c": "no", "d": "52:54:00:12:34:56", "e": 12, "f": true, "g": "1",
            "h": null, "i": "2026-11-22"});
        assert_eq!(read(text.as_bytes()).unwrap()[0].value, want);
    }

    #[test]
    fn a_fault_is_told_with_its_place() {
        let error = refused("a: 1\n---\nb: 1\nb: 2\n");
        assert!(error.starts_with("document 2, line 4: ") && error.contains("duplicate"), "{error}");
        let error = refused("a: [1, 2\nb: 3\n");
        assert!(error.starts_with("document 1, line "), "{error}");
    }

    #[test]
    fn aliases_by_the_thousand_and_deep_nesting_are_refused_at_once() {
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for n in 1..12 {
            let refs = vec![format!("*a{}", n - 1); 9].join(",");
            bomb += &format!("a{n}: &a{n} [{refs}]\n");
        }
        assert!(refused(&bomb).contains("document 1"));
        assert!(refused(&("a: ".to_owned() + &"[".repeat(70) + &"]".repeat(70))).contains("document 1"));
        let deep = (0..100).map(|n| format!("{}k:\n", " ".repeat(n))).collect::<String>();
        assert!(refused(&deep).contains("document 1"));
        assert!(read(("a: ".to_owned() + &"[".repeat(60) + &"]".repeat(60)).as_bytes()).is_ok());
        assert!(read(b"a: &x {k: v}\nb: *x\nc: {<<: *x, l: w}\n").is_ok());
        assert!(refused("a: &a [*a]\n").contains("document 1"));
    }

    #[test]
    fn a_file_is_bounded() {
        assert!(matches!(read(&vec![b'#'; MAX_BYTES + 1]), Err(ReadError::TooLarge)));
        assert!(matches!(read("---\na: 1\n".repeat(MAX_DOCUMENTS + 1).as_bytes()), Err(ReadError::TooMany)));
        assert_eq!(read("---\na: 1\n".repeat(MAX_DOCUMENTS).as_bytes()).unwrap().len(), MAX_DOCUMENTS);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            drop(read(&bytes));
        }

        #[test]
        fn any_near_yaml_is_read_or_refused(text in "[a-c0-9:\\-\\[\\]{}&*<>|#!'\"\n ,?%@]{0,200}") {
            drop(read(text.as_bytes()));
        }
    }
}
