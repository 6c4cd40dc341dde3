//! Endorsement certificates. Seed: `../tests/data/*.crt`.

#![no_main]

use cairn_evidence::EkPublic;
use cairn_evidence::ek::{EkEvidence, EkTrust, verify_chain};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let ek = EkPublic::parse(include_bytes!("../../tests/data/ek.pub")).expect("a sample key");
    let leaf = include_bytes!("../../tests/data/ek_rsa.crt");
    let at = 1_796_083_200;
    let _ = verify_chain(&ek, &EkEvidence { certificate: bytes, intermediates: &[] }, &EkTrust { roots: &[bytes], crls: &[] }, at);
    let _ = verify_chain(&ek, &EkEvidence { certificate: leaf, intermediates: &[bytes] }, &EkTrust { roots: &[leaf], crls: &[] }, at);
});
