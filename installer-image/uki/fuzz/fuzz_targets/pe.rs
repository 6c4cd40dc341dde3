//! Every reader of a foreign PE image. Seeds: systemd's stub, a kernel, a signed UKI.
#![no_main]

use cairn_uki::{authenticode, predict};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = authenticode::digest(bytes);
    let _ = authenticode::measured(bytes);
    let _ = authenticode::verify(bytes, include_bytes!("../../tests/data/db.crt"));
    let _ = predict::from_uki(bytes);
});
