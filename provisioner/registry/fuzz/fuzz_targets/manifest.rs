//! Any bytes as a manifest: parsing returns, and an image has a config or an index its list.
//! Run: `cargo +nightly fuzz run manifest`.
#![no_main]

use cairn_registry::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(manifest) = Manifest::parse(bytes, None) else { return };
    assert!(manifest.kind.lists() || manifest.blobs.len() + manifest.foreign.len() > 0);
    assert_eq!(Manifest::parse(bytes, Some(manifest.kind.media_type())).unwrap(), manifest);
});
