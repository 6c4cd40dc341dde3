//! What this crate makes is what `cairn-evidence` believes: the whole exchange against swtpm, both sides real.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod rig;

use cairn_contract::attest::{Challenge, is_proof_of_activation, quote_binding};
use cairn_contract::wipe::{WipeHow, WipeSample, wipe_binding};
use cairn_contract::{Digest, DiskSelector, Hex, HostId, InstallId, SessionKey, Signed, Timestamp, WipePlan};
use cairn_evidence::pcr::{PcrSet, PcrValues};
use cairn_evidence::quote::{self, Demand};
use cairn_evidence::{AkPublic, EkPublic, Statement, certify, credential, ek};
use cairn_machine::prover::{ProveError, Prover};
use cairn_machine::tpm::{PcrSelection, TpmError};
use uuid::Uuid;

const SECRET: [u8; 32] = [0x5A; 32];
const NONCE: [u8; 32] = [0xC3; 32];
const EXPORTER: [u8; 32] = [0x11; 32];
const PCRS: [u8; 4] = [0, 4, 7, 11];

/// The provisioner's half: a challenge for these keys.
fn challenge(ek: &EkPublic, ak: &AkPublic) -> Challenge {
    let made = credential::make(ek, &ak.name(), &SECRET, &[7; credential::ENTROPY]).unwrap();
    Challenge {
        session: Uuid::from_u128(1),
        credential: Hex(made.id_object),
        secret: Hex(made.encrypted_secret),
        nonce: Hex(NONCE.to_vec()),
        pcrs: PCRS.to_vec(),
        expires_s: 60,
    }
}

#[test]
fn a_challenge_is_answered_and_everything_in_the_answer_holds() {
    let Some(state) = rig::State::with_certificates("evidence") else { return };
    let swtpm = rig::Swtpm::start(&state);
    let prover = Prover::new(swtpm.tpm()).unwrap();
    let claim = prover.claim();
    let ek = EkPublic::parse(&claim.ek_public.0).unwrap();
    let ak = AkPublic::parse(&claim.ak_public.0).unwrap();
    assert_eq!(prover.ak_name().unwrap().0, ak.name().as_bytes()[2..]);

    let tls_key = prover.tpm().create_tls_key().unwrap();
    let challenge = challenge(&ek, &ak);
    let (evidence, key) = prover.answer(&challenge, &EXPORTER, Some(&tls_key)).unwrap();

    let expected = SessionKey::new(&SECRET).unwrap();
    assert!(is_proof_of_activation(&expected, challenge.session, &NONCE, &evidence.proof));
    assert_eq!(*key.report_token(), *expected.report_token());

    let binding = quote_binding(&NONCE, &EXPORTER);
    let mut reported = PcrValues::default();
    for (pcr, value) in PCRS.iter().zip(&evidence.pcr_values) {
        reported.set(*pcr, cairn_evidence::Digest(value.0)).unwrap();
    }
    let statement = Statement { message: &evidence.quote.0, signature: &evidence.signature.0 };
    let demand = Demand { nonce: &binding, pcrs: PcrSet::of(&PCRS) };
    let quoted = quote::verify(&statement, &ak, &demand, &reported).unwrap();
    assert_ne!(quoted.firmware_version, 0);

    let tls = evidence.tls_key.unwrap();
    let statement = Statement { message: &tls.attest.0, signature: &tls.signature.0 };
    let certified = certify::verify(&statement, &tls.public.0, &ak, &binding).unwrap();
    assert_eq!(Some(certified.point), tls_key.point());
    assert_eq!(Some(certified.into_inner().spki_der), tls_key.spki());
}

#[test]
fn the_tpm_s_word_for_a_wipe_holds_for_that_report_only() {
    let Some(state) = rig::State::with_certificates("wipe") else { return };
    let swtpm = rig::Swtpm::start(&state);
    let prover = Prover::new(swtpm.tpm()).unwrap();
    let plan = WipePlan {
        wipe: InstallId(Uuid::nil()),
        host: HostId(Uuid::nil()),
        ak_name: prover.ak_name().unwrap(),
        expires: Timestamp(0),
        disk: DiskSelector::default(),
        how: WipeHow::Zeros,
        sample: WipeSample { ends: 0, places: 1, place_bytes: 4096 },
        nonce: Digest(NONCE),
        pcrs: PCRS.to_vec(),
        pcr_values: vec![],
    };
    let signed: Signed<WipePlan> = serde_json::from_str(r#"{"payload":"","signature":""}"#).unwrap();
    let proof = prover.prove_wipe(&plan, signed, "it is done".into()).unwrap();
    let ak = AkPublic::parse(&proof.ak_public.0).unwrap();
    let values = prover.tpm().pcr_read(PcrSelection::of(PCRS)).unwrap();
    let mut reported = PcrValues::default();
    values.iter().for_each(|(pcr, v)| reported.set(*pcr, cairn_evidence::Digest(*v)).unwrap());
    let statement = Statement { message: &proof.quote.0, signature: &proof.signature.0 };
    let holds = |report: &str| {
        let nonce = wipe_binding(&plan.nonce, report);
        quote::verify(&statement, &ak, &Demand { nonce: &nonce, pcrs: PcrSet::of(&PCRS) }, &reported).is_ok()
    };
    assert!(holds(&proof.report) && !holds("it is not done"));
}

#[test]
fn the_certificate_in_the_tpm_is_for_its_key_and_leads_to_its_maker() {
    let Some(state) = rig::State::with_certificates("chain") else { return };
    let swtpm = rig::Swtpm::start(&state);
    let prover = Prover::new(swtpm.tpm()).unwrap();
    let ek = EkPublic::parse(&prover.claim().ek_public.0).unwrap();
    let certificate = prover.claim().ek_certificate.clone().expect("swtpm_setup made one");
    let authority = state.authority();
    let intermediates = [authority.issuer.as_slice()];
    let evidence = ek::EkEvidence { certificate: &certificate.0, intermediates: &intermediates };
    let roots = [authority.root.as_slice()];
    let trust = ek::EkTrust { roots: &roots, crls: &[] };
    let now = u64::try_from(cairn_machine::clock::now().seconds()).unwrap() + 60;
    let proven = ek::verify_chain(&ek, &evidence, &trust, now).unwrap();
    assert_eq!(proven.spki_sha256, ek.spki_sha256());
}

#[test]
fn a_challenge_for_another_tpm_is_not_answered() {
    let Some(state) = rig::State::with_certificates("mine") else { return };
    let Some(other) = rig::State::with_certificates("other") else { return };
    let (swtpm, swtpm_other) = (rig::Swtpm::start(&state), rig::Swtpm::start(&other));
    let (prover, stranger) = (Prover::new(swtpm.tpm()).unwrap(), Prover::new(swtpm_other.tpm()).unwrap());
    let ek = EkPublic::parse(&stranger.claim().ek_public.0).unwrap();
    let ak = AkPublic::parse(&prover.claim().ak_public.0).unwrap();
    let refused = prover.answer(&challenge(&ek, &ak), &EXPORTER, None);
    assert!(matches!(refused, Err(ProveError::Tpm(TpmError::Refused { .. }))), "{refused:?}");
}
