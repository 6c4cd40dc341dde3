//! Public areas, and signatures under those that are attestation keys. Seed: `../tests/data/*.pub`.

#![no_main]

use cairn_evidence::{AkPublic, EkPublic};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = EkPublic::parse(bytes);
    let _ = AkPublic::parse(bytes);
    let ak = AkPublic::parse(include_bytes!("../../tests/data/ak_rsassa.pub")).expect("a sample key");
    let _ = ak.verify(b"", bytes);
});
