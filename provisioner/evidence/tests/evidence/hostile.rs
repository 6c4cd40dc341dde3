//! No bytes make a parser panic: random ones, and samples with bytes changed, cut or repeated.

use cairn_evidence::ek::{EkEvidence, EkTrust, verify_chain};
use cairn_evidence::eventlog::EventLog;
use cairn_evidence::pcr::PcrValues;
use cairn_evidence::quote::{Demand, verify};
use cairn_evidence::{AkPublic, EkPublic, Statement, appraise, certify};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::builders::{AK_ATTRIBUTES, Ak, Attest, NONCE};
use crate::samples;

/// A sample with some bytes changed and cut at some place.
fn mutated(sample: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let len = sample.len();
    (vec((0..len, any::<u8>()), 0..8), 0..=len).prop_map(move |(changes, cut)| {
        let mut bytes = sample.clone();
        for (at, value) in changes {
            bytes[at] = value;
        }
        bytes.truncate(if cut < len / 2 { len } else { cut });
        bytes
    })
}

fn read_log(bytes: &[u8]) {
    if let Ok(log) = EventLog::parse(bytes) {
        let _ = log.replay();
        for event in &log.events {
            let _ = event.describe();
        }
    }
}

/// A statement that is signed, so that all of its parser is reached.
fn read_quote(message: &[u8]) {
    let ak = Ak::new(1);
    let signature = ak.sign(message);
    let demand = Demand { nonce: samples::NONCE, pcrs: samples::QUOTED };
    let quote = Statement { message, signature: &signature };
    let _ = verify(&quote, &ak.public(), &demand, &PcrValues::default());
}

fn read_certificate(certificate: &[u8], other: &[u8]) {
    let ek = EkPublic::parse(EK).unwrap();
    let evidence = EkEvidence { certificate, intermediates: &[other] };
    let _ = verify_chain(&ek, &evidence, &EkTrust { roots: &[EK_CERTIFICATE], crls: &[] }, 1_796_083_200);
    let _ = verify_chain(&ek, &evidence, &EkTrust { roots: &[other], crls: &[other] }, 1_796_083_200);
}

const EK: &[u8] = include_bytes!("../data/ek.pub");
const EK_CERTIFICATE: &[u8] = include_bytes!("../data/ek_rsa.crt");

proptest! {
    #[test]
    fn no_bytes_make_the_log_reader_panic(bytes in vec(any::<u8>(), 0..600)) {
        read_log(&bytes);
    }

    #[test]
    fn no_change_of_a_log_makes_its_reader_panic(bytes in mutated(samples::LOG.to_vec())) {
        read_log(&bytes);
    }

    #[test]
    fn no_bytes_make_the_key_reader_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = AkPublic::parse(&bytes);
    }

    #[test]
    fn no_change_of_a_key_makes_its_reader_panic(bytes in mutated(Ak::new(1).public_bytes(AK_ATTRIBUTES))) {
        let _ = AkPublic::parse(&bytes);
    }

    #[test]
    fn no_change_of_a_signature_makes_its_reader_panic(bytes in mutated(samples::QUOTE.signature.to_vec())) {
        let _ = samples::ak().verify(samples::QUOTE.message, &bytes);
    }

    #[test]
    fn no_change_of_a_quote_makes_its_reader_panic(bytes in mutated(samples::QUOTE.message.to_vec())) {
        read_quote(&bytes);
    }

    #[test]
    fn no_selection_makes_the_quote_reader_panic(body in vec(any::<u8>(), 0..64)) {
        read_quote(&Attest { nonce: samples::NONCE.to_vec(), body, ..Attest::quote(&[], &[]) }.bytes());
    }

    #[test]
    fn no_bytes_make_the_endorsement_key_reader_panic(bytes in mutated(EK.to_vec())) {
        let _ = EkPublic::parse(&bytes);
    }

    #[test]
    fn no_change_of_a_certificate_makes_its_reader_panic(bytes in mutated(EK_CERTIFICATE.to_vec())) {
        read_certificate(&bytes, EK_CERTIFICATE);
        read_certificate(EK_CERTIFICATE, &bytes);
    }

    #[test]
    fn no_bytes_make_the_certificate_reader_panic(bytes in vec(any::<u8>(), 0..200)) {
        read_certificate(&bytes, &bytes);
    }

    #[test]
    fn no_bytes_make_the_certification_reader_panic(body in vec(any::<u8>(), 0..80), public in vec(any::<u8>(), 0..120)) {
        let ak = Ak::new(1);
        let signed = Attest { body, ..Attest::certify(&[]) }.signed(&ak);
        let _ = certify::verify(&signed.statement(), &public, &ak.public(), &NONCE);
    }

    #[test]
    fn no_change_of_a_log_is_believed(bytes in mutated(samples::LOG.to_vec())) {
        let quoted = crate::appraise::sample_quote();
        let Ok(report) = appraise(&quoted, Some(&bytes), &[crate::appraise::reference()]) else { return Ok(()) };
        let expected: Vec<_> = crate::appraise::reference().boot_apps.into_iter().map(cairn_evidence::Digest).collect();
        let found: Vec<_> = report.applications.iter().map(|application| application.digest).collect();
        prop_assert_eq!(found, expected);
        prop_assert_ne!(report.secure_boot, appraise::SecureBoot::On);
    }
}
