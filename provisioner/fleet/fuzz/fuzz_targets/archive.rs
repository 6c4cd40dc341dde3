//! Any bytes as a tar archive in gzip: what comes out has plain names. Seeds: charts as `helm package` makes them.
//! Run: `cargo +nightly fuzz run archive`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(files) = cairn_fleet::render::unpack(bytes) else { return };
    for name in files.keys() {
        assert!(!name.starts_with('/') && !name.split('/').any(|part| part == ".."), "{name}");
    }
});
