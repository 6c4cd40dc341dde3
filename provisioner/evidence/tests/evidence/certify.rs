//! Rule 17 of attestation.md: a TLS key is the host's only if its TPM's attestation key says so.

use cairn_evidence::certify::{CertifyRefusal, verify};
use cairn_evidence::{Malformed, StatementRefusal};

use crate::builders::{Ak, Attest, NONCE};

/// fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, sign.
const TLS_ATTRIBUTES: u32 = 0x0004_0072;

/// The Name of a public area, computed here: SHA-256 and its algorithm number.
fn name(public: &[u8]) -> Vec<u8> {
    [&[0, 0x0b], cairn_evidence::Digest::of(public).0.as_slice()].concat()
}

#[track_caller]
fn refused(public: &[u8], attest: &Attest, expect: &CertifyRefusal) {
    let ak = Ak::new(1);
    let result = verify(&attest.signed(&ak).statement(), public, &ak.public(), &NONCE);
    assert_eq!(result.unwrap_err(), *expect);
}

#[test]
fn a_key_certified_by_the_attestation_key_is_proven() {
    let (ak, tls) = (Ak::new(1), Ak::new(9));
    let public = tls.public_bytes(TLS_ATTRIBUTES);
    let signed = Attest::certify(&name(&public)).signed(&ak);
    let key = verify(&signed.statement(), &public, &ak.public(), &NONCE).unwrap();
    assert_eq!(key.point.as_slice(), &*tls.0.verifying_key().to_sec1_point(false).to_bytes());
    assert!(key.spki_der.ends_with(&key.point));
    assert_eq!((&key.ak, key.name.as_bytes()), (&ak.public().name(), name(&public).as_slice()));
}

#[test]
fn a_certification_of_another_key_is_refused() {
    let public = Ak::new(9).public_bytes(TLS_ATTRIBUTES);
    let other = Ak::new(8).public_bytes(TLS_ATTRIBUTES);
    refused(&public, &Attest::certify(&name(&other)), &CertifyRefusal::OtherKey);
}

#[test]
fn a_replayed_certification_or_a_quote_in_its_place_is_refused() {
    let public = Ak::new(9).public_bytes(TLS_ATTRIBUTES);
    let honest = Attest::certify(&name(&public));
    refused(&public, &Attest { nonce: vec![8; 32], ..honest.clone() }, &StatementRefusal::Nonce.into());
    let kind = StatementRefusal::Kind { demanded: 0x8017, found: 0x8018 };
    refused(&public, &Attest { kind: 0x8018, ..honest }, &kind.into());
}

#[test]
fn a_key_that_could_leave_its_tpm_or_is_for_another_use_is_refused() {
    let cases = [
        (TLS_ATTRIBUTES & !0x0002, CertifyRefusal::Lacks("fixedTPM")),
        (TLS_ATTRIBUTES & !0x0010, CertifyRefusal::Lacks("fixedParent")),
        (TLS_ATTRIBUTES & !0x0020, CertifyRefusal::Lacks("sensitiveDataOrigin")),
        (TLS_ATTRIBUTES & !0x0004_0000, CertifyRefusal::Lacks("sign")),
        (TLS_ATTRIBUTES | 0x0001_0000, CertifyRefusal::Has("restricted")),
        (TLS_ATTRIBUTES | 0x0002_0000, CertifyRefusal::Has("decrypt")),
        (TLS_ATTRIBUTES | 0x0800, CertifyRefusal::Has("encryptedDuplication")),
    ];
    for (attributes, refusal) in cases {
        let public = Ak::new(9).public_bytes(attributes);
        refused(&public, &Attest::certify(&name(&public)), &refusal);
    }
}

#[test]
fn a_key_that_cannot_be_read_or_is_no_p256_signing_key_is_refused() {
    let mut public = Ak::new(9).public_bytes(TLS_ATTRIBUTES);
    public[15] = 0x0c; // ECDSA with SHA-384
    refused(&public, &Attest::certify(&name(&public)), &CertifyRefusal::Algorithm);
    let cut = &public[..public.len() - 1];
    let refusal = CertifyRefusal::Public(Malformed::Truncated("curve number"));
    refused(cut, &Attest::certify(&name(cut)), &refusal);
}
