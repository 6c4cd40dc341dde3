//! Rule 8 of attestation.md: each check has a test that breaks just it.

use cairn_evidence::ak::{AkRefusal, SignatureRefusal};
use cairn_evidence::pcr::{BOOT_PCRS, NoSuchPcr, PcrSet, PcrValues};
use cairn_evidence::quote::{ClockRefusal, Demand, QuoteRefusal, Since, since, verify};
use cairn_evidence::{AkPublic, Clock, Digest, Malformed, Statement, StatementRefusal};

use crate::builders::{AK_ATTRIBUTES, Ak, Attest, NONCE};
use crate::samples;

const SHA256: u16 = 0x000b;
const PCRS: PcrSet = PcrSet::of(&[4, 11]);
const BITMAP: &[u8] = &[0x10, 0x08, 0];
const DEMAND: Demand<'static> = Demand { nonce: &NONCE, pcrs: PCRS };

fn values() -> PcrValues {
    let mut values = PcrValues::default();
    values.set(4, Digest([4; 32])).unwrap();
    values.set(11, Digest([11; 32])).unwrap();
    values
}

fn honest() -> Attest {
    Attest::quote(&[(SHA256, BITMAP)], &values().digest(PCRS).unwrap().0)
}

#[track_caller]
fn refused(attest: &Attest, expect: &QuoteRefusal) {
    let ak = Ak::new(1);
    let result = verify(&attest.signed(&ak).statement(), &ak.public(), &DEMAND, &values());
    assert_eq!(result.unwrap_err(), *expect);
}

#[test]
fn the_sample_quote_of_a_virtual_host_is_proven() {
    let ak = samples::ak();
    assert_eq!(ak.name().as_bytes(), samples::AK_NAME);
    let demand = Demand { nonce: samples::NONCE, pcrs: samples::QUOTED };
    let quoted = verify(&samples::QUOTE, &ak, &demand, &samples::pcrs()).unwrap();
    assert_eq!(quoted.clock, Clock { milliseconds: 0x1be8d, resets: 7, restarts: 0, safe: true });
    assert_eq!(quoted.firmware_version, 0x2019_1023_0016_3636);
    assert_eq!(quoted.pcrs.iter().count(), 16);
    assert_eq!(quoted.pcrs.get(4), samples::pcrs().get(4));
}

/// swtpm, told the sample log, with an RSASSA-2048 attestation key: the fallback of rule 6.
#[test]
fn a_quote_by_an_rsassa_key_is_proven_and_a_changed_one_is_not() {
    let message = include_bytes!("../data/quote_rsassa.msg");
    let signature = include_bytes!("../data/quote_rsassa.sig");
    let ak = AkPublic::parse(include_bytes!("../data/ak_rsassa.pub")).unwrap();
    let demand = Demand { nonce: &NONCE, pcrs: BOOT_PCRS };
    let check = |message: &[u8], signature: &[u8]| {
        verify(&Statement { message, signature }, &ak, &demand, &samples::pcrs()).map(drop)
    };
    assert_eq!(check(message, signature), Ok(()));
    let invalid = StatementRefusal::Signature(SignatureRefusal::Invalid).into();
    let (mut changed, mut forged) = (message.to_vec(), signature.to_vec());
    changed[20] ^= 1;
    assert_eq!(check(&changed, signature), Err(invalid));
    *forged.last_mut().unwrap() ^= 1;
    check(message, &forged).unwrap_err();
    check(message, &signature[..signature.len() - 1]).unwrap_err();
}

#[test]
fn an_honest_quote_made_here_is_proven() {
    let ak = Ak::new(1);
    let quoted = verify(&honest().signed(&ak).statement(), &ak.public(), &DEMAND, &values()).unwrap();
    assert_eq!(quoted.pcrs, values());
    assert_eq!(quoted.ak, ak.public().name());
}

#[test]
fn a_statement_not_made_by_a_tpm_is_refused() {
    refused(&Attest { magic: 0xff54_4348, ..honest() }, &StatementRefusal::Magic(0xff54_4348).into());
}

#[test]
fn a_certification_in_the_place_of_a_quote_is_refused() {
    let kind = StatementRefusal::Kind { demanded: 0x8018, found: 0x8017 };
    refused(&Attest { kind: 0x8017, ..honest() }, &kind.into());
}

#[test]
fn a_replayed_quote_is_refused() {
    refused(&Attest { nonce: vec![8; 32], ..honest() }, &StatementRefusal::Nonce.into());
    refused(&Attest { nonce: NONCE[..31].to_vec(), ..honest() }, &StatementRefusal::Nonce.into());
}

#[test]
fn a_nonce_too_short_to_prove_freshness_is_refused() {
    let (ak, nonce) = (Ak::new(1), [7; 15]);
    let signed = Attest { nonce: nonce.to_vec(), ..honest() }.signed(&ak);
    let result = verify(&signed.statement(), &ak.public(), &Demand { nonce: &nonce, pcrs: PCRS }, &values());
    assert_eq!(result.unwrap_err(), StatementRefusal::WeakNonce(15).into());
}

/// CVE-2022-0317: go-attestation accepted a quote over no PCRs beside any reported values.
#[test]
fn cve_2022_0317_a_quote_over_no_pcrs_is_refused() {
    let empty = Digest::of(&[]).0;
    refused(&Attest::quote(&[], &empty), &QuoteRefusal::Selection);
    refused(&Attest::quote(&[(SHA256, &[0, 0, 0])], &empty), &QuoteRefusal::Selection);
    let ak = Ak::new(1);
    let signed = Attest::quote(&[], &empty).signed(&ak);
    let nothing = Demand { nonce: &NONCE, pcrs: PcrSet::default() };
    assert_eq!(
        verify(&signed.statement(), &ak.public(), &nothing, &values()).unwrap_err(),
        QuoteRefusal::Selection
    );
}

/// CVE-2024-29039: tpm2_checkquote took the selection from the host's file, not from what the TPM signed.
#[test]
fn cve_2024_29039_a_quote_over_other_pcrs_is_refused() {
    let digest = values().digest(PCRS).unwrap().0;
    refused(&Attest::quote(&[(SHA256, &[0x20, 0x08, 0])], &digest), &QuoteRefusal::Selection);
    refused(&Attest::quote(&[(SHA256, &[0x30, 0x08, 0])], &digest), &QuoteRefusal::Selection);
    refused(&Attest::quote(&[(SHA256, &[0x10, 0x08, 0, 1])], &digest), &QuoteRefusal::Selection);
    refused(&Attest::quote(&[(0x0004, BITMAP)], &digest), &QuoteRefusal::Selection);
    refused(&Attest::quote(&[(SHA256, BITMAP), (0x0004, BITMAP)], &digest), &QuoteRefusal::Selection);
    refused(&Attest::quote(&[(SHA256, BITMAP), (SHA256, BITMAP)], &digest), &QuoteRefusal::Selection);
}

#[test]
fn values_that_were_not_quoted_are_refused() {
    refused(&Attest::quote(&[(SHA256, BITMAP)], &[0; 32]), &QuoteRefusal::Values);
    let digest = values().digest(PCRS).unwrap().0;
    refused(&Attest::quote(&[(SHA256, BITMAP)], &digest[..31]), &QuoteRefusal::Values);
}

#[test]
fn a_quoted_value_that_was_not_reported_is_refused() {
    let ak = Ak::new(1);
    let result =
        verify(&honest().signed(&ak).statement(), &ak.public(), &DEMAND, &values().only(PcrSet::of(&[4])));
    assert_eq!(result.unwrap_err(), QuoteRefusal::Unreported(NoSuchPcr(11)));
}

#[test]
fn a_value_reported_beside_the_quoted_ones_is_not_proven() {
    let (ak, mut more) = (Ak::new(1), values());
    more.set(7, Digest([9; 32])).unwrap();
    let quoted = verify(&honest().signed(&ak).statement(), &ak.public(), &DEMAND, &more).unwrap();
    assert_eq!(quoted.pcrs.get(7), None);
}

#[test]
fn a_quote_by_another_key_is_refused() {
    let signed = honest().signed(&Ak::new(2));
    let result = verify(&signed.statement(), &Ak::new(1).public(), &DEMAND, &values());
    assert_eq!(result.unwrap_err(), StatementRefusal::Signature(SignatureRefusal::Invalid).into());
}

#[test]
fn a_signature_of_another_scheme_is_refused() {
    let ak = Ak::new(1);
    let mut signed = honest().signed(&ak);
    signed.signature[1] = 0x14;
    let result = verify(&signed.statement(), &ak.public(), &DEMAND, &values());
    assert_eq!(result.unwrap_err(), StatementRefusal::Signature(SignatureRefusal::Scheme).into());
}

#[test]
fn bytes_after_a_quote_are_refused() {
    let mut longer = honest();
    longer.body.push(0);
    refused(&longer, &StatementRefusal::Malformed(Malformed::Trailing(1)).into());
}

#[test]
fn any_changed_byte_of_the_sample_quote_is_refused() {
    let demand = Demand { nonce: samples::NONCE, pcrs: samples::QUOTED };
    for at in 0..samples::QUOTE.message.len() {
        let mut message = samples::QUOTE.message.to_vec();
        message[at] ^= 1;
        let statement = Statement { message: &message, ..samples::QUOTE };
        verify(&statement, &samples::ak(), &demand, &samples::pcrs()).unwrap_err();
    }
}

#[test]
fn a_key_that_could_sign_foreign_bytes_or_leave_its_tpm_is_no_attestation_key() {
    let cases = [
        (AK_ATTRIBUTES & !0x0001_0000, AkRefusal::Lacks("restricted")),
        (AK_ATTRIBUTES & !0x0004_0000, AkRefusal::Lacks("sign")),
        (AK_ATTRIBUTES & !0x0002, AkRefusal::Lacks("fixedTPM")),
        (AK_ATTRIBUTES & !0x0010, AkRefusal::Lacks("fixedParent")),
        (AK_ATTRIBUTES & !0x0020, AkRefusal::Lacks("sensitiveDataOrigin")),
        (AK_ATTRIBUTES & !0x0040, AkRefusal::Lacks("userWithAuth")),
        (AK_ATTRIBUTES | 0x0002_0000, AkRefusal::Has("decrypt")),
        (AK_ATTRIBUTES | 0x0800, AkRefusal::Has("encryptedDuplication")),
    ];
    for (attributes, refusal) in cases {
        assert_eq!(AkPublic::parse(&Ak::new(1).public_bytes(attributes)).unwrap_err(), refusal);
    }
    let mut sha1_scheme = Ak::new(1).public_bytes(AK_ATTRIBUTES);
    sha1_scheme[15] = 4;
    assert_eq!(AkPublic::parse(&sha1_scheme).unwrap_err(), AkRefusal::Algorithm);
    let mut off_curve = Ak::new(1).public_bytes(AK_ATTRIBUTES);
    off_curve[30] ^= 1;
    assert_eq!(AkPublic::parse(&off_curve).unwrap_err(), AkRefusal::Malformed(Malformed::Key));
}

#[test]
fn a_clock_that_goes_backwards_is_refused() {
    let before = Clock { milliseconds: 1000, resets: 3, restarts: 2, safe: true };
    assert_eq!(since(&before, &before), Ok(Since::SameBoot));
    assert_eq!(since(&before, &Clock { milliseconds: 1001, restarts: 3, ..before }), Ok(Since::SameBoot));
    assert_eq!(
        since(&before, &Clock { milliseconds: 10, resets: 4, restarts: 0, ..before }),
        Ok(Since::Rebooted)
    );
    assert_eq!(
        since(&before, &Clock { resets: 2, ..before }),
        Err(ClockRefusal::Resets { before: 3, now: 2 })
    );
    assert_eq!(
        since(&before, &Clock { restarts: 1, ..before }),
        Err(ClockRefusal::Restarts { before: 2, now: 1 })
    );
    let earlier = ClockRefusal::Milliseconds { before: 1000, now: 999 };
    assert_eq!(since(&before, &Clock { milliseconds: 999, ..before }), Err(earlier));
    let wrapping = Clock { resets: u32::MAX, ..before };
    assert_eq!(since(&wrapping, &Clock { resets: 0, ..before }), Ok(Since::Rebooted));
}
