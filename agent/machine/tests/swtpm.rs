//! The TPM client against a real TPM 2.0: swtpm, as its own process, with EK certificates from a throw-away CA.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod rig;

use std::sync::Arc;

use cairn_machine::tpm::{PcrSelection, TpmError, TpmSigningKey};
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use rustls::sign::SigningKey;

fn verifying_key(point: Option<[u8; 65]>) -> VerifyingKey {
    VerifyingKey::from_sec1_bytes(&point.expect("a P-256 key")).expect("a point on the curve")
}

/// r and s out of a TPMT_SIGNATURE of ECDSA with SHA-256.
fn signature(tpmt: &[u8]) -> Signature {
    assert_eq!(tpmt[..6], [0, 0x18, 0, 0x0B, 0, 32]);
    Signature::from_slice(&[&tpmt[6..38], &tpmt[40..72]].concat()).expect("r and s")
}

#[test]
fn keys_come_back_after_a_power_cycle() {
    let Some(state) = rig::State::with_certificates("power-cycle") else { return };
    let names = |tpm: &cairn_machine::tpm::Tpm| {
        let (ek, ak, tls) = (tpm.ek().unwrap(), tpm.create_ak().unwrap(), tpm.create_tls_key().unwrap());
        [ek.name().to_vec(), ak.name().to_vec(), tls.name().to_vec()]
    };
    let before = names(&rig::Swtpm::start(&state).tpm());
    let after = names(&rig::Swtpm::start(&state).tpm());
    assert_eq!(before, after);
    assert_ne!(before[1], before[2]);
}

#[test]
fn slots_are_given_back() {
    let Some(state) = rig::State::with_certificates("slots") else { return };
    let swtpm = rig::Swtpm::start(&state);
    let tpm = swtpm.tpm();
    for _ in 0..8 {
        let (_ak, _tls) = (tpm.create_ak().unwrap(), tpm.create_tls_key().unwrap());
    }
}

#[test]
fn certificates_and_properties_are_read() {
    let Some(state) = rig::State::with_certificates("nv") else { return };
    let swtpm = rig::Swtpm::start(&state);
    let tpm = swtpm.tpm();
    let certificates = tpm.ek_certificates().unwrap();
    assert_eq!(certificates.rsa().expect("an RSA certificate")[..2], [0x30, 0x82]);
    assert!(certificates.certificates.len() >= 2, "{certificates:?}");
    assert_eq!(tpm.nv_read(0x01C0_0055).unwrap(), None);
    let properties = tpm.properties().unwrap();
    assert_eq!((properties.manufacturer.as_str(), properties.vendor.trim()), ("IBM", "SW   TPM"));
    assert_ne!(properties.firmware, 0);
}

#[test]
fn a_quote_is_signed_by_the_ak_over_the_nonce() {
    let Some(state) = rig::State::with_certificates("quote") else { return };
    let swtpm = rig::Swtpm::start(&state);
    let tpm = swtpm.tpm();
    let ak = tpm.create_ak().unwrap();
    let all = PcrSelection::of(0..24);
    let values = tpm.pcr_read(all).unwrap();
    assert_eq!(values.iter().map(|(i, _)| *i).collect::<Vec<_>>(), (0..24).collect::<Vec<u8>>());
    let quote = tpm.quote(&ak, &[7; 32], all).unwrap();
    assert_eq!(quote.attest[..6], [0xFF, 0x54, 0x43, 0x47, 0x80, 0x18]);
    assert!(quote.attest.windows(32).any(|w| w == [7; 32]));
    verifying_key(ak.point()).verify(&quote.attest, &signature(&quote.signature)).unwrap();
}

#[test]
fn the_tls_key_is_certified_by_the_ak_and_signs() {
    let Some(state) = rig::State::with_certificates("certify") else { return };
    let swtpm = rig::Swtpm::start(&state);
    let tpm = swtpm.tpm();
    let (ak, tls) = (tpm.create_ak().unwrap(), Arc::new(tpm.create_tls_key().unwrap()));
    let certified = tpm.certify(&tls, &ak, &[9; 32]).unwrap();
    assert!(certified.attest.windows(tls.name().len()).any(|w| w == tls.name()));
    verifying_key(ak.point()).verify(&certified.attest, &signature(&certified.signature)).unwrap();

    let key = TpmSigningKey::new(tls.clone());
    let schemes = [rustls::SignatureScheme::ED25519, rustls::SignatureScheme::ECDSA_NISTP256_SHA256];
    let signer = key.choose_scheme(&schemes).expect("P-256 is offered");
    assert!(key.choose_scheme(&schemes[..1]).is_none());
    std::thread::scope(|s| {
        for i in 0..4_u8 {
            let (signer, public) = (&signer, verifying_key(tls.point()));
            s.spawn(move || {
                let der = signer.sign(&[i; 100]).unwrap();
                public.verify(&[i; 100], &Signature::from_der(&der).unwrap()).unwrap();
            });
        }
    });
}

#[test]
fn a_foreign_credential_is_refused() {
    let Some(state) = rig::State::with_certificates("credential") else { return };
    let swtpm = rig::Swtpm::start(&state);
    let tpm = swtpm.tpm();
    let (ek, ak) = (tpm.ek().unwrap(), tpm.create_ak().unwrap());
    let credential = [&[0, 66, 0, 32][..], &[1; 64]].concat();
    let secret = [&[1, 0][..], &[1; 256]].concat();
    for _ in 0..5 {
        let refused = tpm.activate_credential(&ak, &ek, &credential, &secret);
        assert!(matches!(refused, Err(TpmError::Refused { .. })), "{refused:?}");
    }
}
