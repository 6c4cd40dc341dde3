//! No bytes make the readers panic: random ones, and real layouts with changed headers.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod pe_maker;

use cairn_uki::pe::Image;
use cairn_uki::{authenticode, predict, uki};
use pe_maker::{kernel, parts, stub};
use proptest::prelude::*;
use rsa::RsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey as _;

const CERTIFICATE: &[u8] = include_bytes!("data/db.crt");

fn key() -> RsaPrivateKey {
    RsaPrivateKey::from_pkcs8_pem(include_str!("data/db.key.pem")).unwrap()
}

fn signed() -> Vec<u8> {
    let uki = uki::build(&parts(&stub(), &kernel())).unwrap();
    authenticode::sign(&uki, &key(), CERTIFICATE).unwrap()
}

/// Everything that reads a PE; where parsing succeeds, ranges are inside.
fn read(bytes: &[u8]) {
    if let Ok(image) = Image::parse(bytes) {
        assert!(image.certificates().is_none_or(|table| table.end <= bytes.len()));
        for section in image.sections() {
            let data = image.data(section);
            assert!(data.is_none_or(|data| data.len() == section.virtual_size as usize));
        }
    }
    let _ = authenticode::digest(bytes);
    let _ = authenticode::verify(bytes, CERTIFICATE);
    let _ = predict::from_uki(bytes);
    let _ = uki::build(&parts(bytes, &kernel()));
    let _ = uki::build(&parts(&stub(), bytes));
}

/// Places and new bytes; most fall into the headers, where lengths and offsets are.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, [u8; 4], bool)>> {
    prop::collection::vec((any::<prop::sample::Index>(), word(), prop::bool::weighted(0.8)), 1..6)
}

fn word() -> impl Strategy<Value = [u8; 4]> {
    prop_oneof![
        any::<[u8; 4]>(),
        prop::sample::select(vec![0, 1, 8, 0x200, 0x400, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8, u32::MAX])
            .prop_map(u32::to_le_bytes)
    ]
}

fn change(mut bytes: Vec<u8>, changes: &[(prop::sample::Index, [u8; 4], bool)]) -> Vec<u8> {
    for (place, new, in_headers) in changes {
        let reach = if *in_headers { 0x300.min(bytes.len()) } else { bytes.len() };
        let at = place.index(reach);
        for (old, new) in bytes[at..].iter_mut().zip(new) {
            *old = *new;
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        read(&bytes);
        let magic = [b"MZ".as_slice(), &bytes].concat();
        read(&magic);
    }

    #[test]
    fn changed_headers_never_panic(changes in changes()) {
        read(&change(signed_once(), &changes));
    }

    #[test]
    fn cut_images_never_panic(cut in any::<prop::sample::Index>()) {
        let bytes = signed_once();
        read(&bytes[..cut.index(bytes.len())]);
    }

    #[test]
    fn changed_signatures_never_panic(changes in changes(), start in 0_usize..400) {
        let bytes = signed_once();
        let table = Image::parse(&bytes).unwrap().certificates().unwrap().start + start;
        let tail = change(bytes[table..].to_vec(), &changes);
        read(&[&bytes[..table], &tail].concat());
    }

    #[test]
    fn changed_certificates_never_panic(changes in changes()) {
        let certificate = change(CERTIFICATE.to_vec(), &changes);
        let _ = authenticode::verify(&signed_once(), &certificate);
    }
}

fn signed_once() -> Vec<u8> {
    static SIGNED: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    SIGNED.get_or_init(signed).clone()
}

#[test]
fn a_changed_stub_that_still_builds_still_signs() {
    let mut built = 0;
    for at in 0..0x1a8 {
        let mut stub = stub();
        stub[at] ^= 0x10;
        if let Ok(uki) = uki::build(&parts(&stub, &kernel())) {
            built += 1;
            Image::parse(&uki).unwrap();
            let signed = authenticode::sign(&uki, &key(), CERTIFICATE).unwrap();
            authenticode::verify(&signed, CERTIFICATE).unwrap();
        }
    }
    assert!(built > 100, "only {built} variants built");
}
