//! Any bytes as YAML documents: read within bounds, or refused. Seeds: examples/workloads.
//! Run: `cargo +nightly fuzz run documents`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = cairn_fleet::render::read_documents("fuzz.yaml", bytes);
});
