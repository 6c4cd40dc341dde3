//! Any bytes as a host list: names and labels of what is read keep to their rules, and the error file is a list of the
//! same lines. Seeds: the files of tests/import.rs. Run: `cargo +nightly fuzz run csv`.
#![no_main]

use cairn_domain::{
    import::{MAX_FIELD, error_file, read},
    name,
    selector::check_labels,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(report) = read(bytes) else { return };
    for entry in report.entries() {
        assert!(name::check(&entry.name).is_ok());
        assert!(check_labels(&entry.labels).is_ok());
    }
    let again = read(error_file(&report).as_bytes()).expect("our own error file is readable");
    assert_eq!(again.form(), report.form());
    let failed: Vec<_> = report.lines.iter().filter(|l| l.outcome.is_err()).collect();
    assert_eq!(failed.len(), again.lines.len());
    for (line, same) in failed.iter().zip(&again.lines) {
        // Latin-1 read as UTF-8 grows, and may be cut.
        let short = line.fields().iter().all(|f| f.len() < MAX_FIELD / 2);
        assert!(!short || line.fields().iter().zip(same.fields()).all(|(a, b)| a == b));
    }
});
