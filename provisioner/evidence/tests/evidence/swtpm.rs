//! The whole exchange with a real TPM 2.0 implementation: credentials that it opens, quotes and certifications that it
//! signs, a boot that it was told.

use cairn_evidence::appraise::SecureBoot;
use cairn_evidence::certify;
use cairn_evidence::credential::{Credential, CredentialError, make};
use cairn_evidence::ek::Template;
use cairn_evidence::eventlog::EventLog;
use cairn_evidence::pcr::{BOOT_PCRS, PcrValues};
use cairn_evidence::quote::{self, Demand, Since, since};
use cairn_evidence::{AkPublic, Digest, EkPublic, Statement, appraise};

use crate::appraise::reference;
use crate::builders::{NONCE, sized};
use crate::samples::{self, unhex};
use crate::tpm::{ENDORSEMENT, OWNER, Tpm};

/// Of parameter 1: the HMAC of the id object is wrong.
const TPM_RC_INTEGRITY: u32 = 0x1df;
/// Of parameter 2: the secret was encrypted to another key.
const TPM_RC_VALUE: u32 = 0x2c4;
/// What libtpms 0.9 says of the same, with OpenSSL 3 below it.
const TPM_RC_FAILURE: u32 = 0x101;
const POLICY_A: &str = "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";
const AK_ECDSA: &[u8] =
    &[0, 0x23, 0, 0x0b, 0, 5, 0, 0x72, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10, 0, 0, 0, 0];
const AK_RSASSA: &[u8] =
    &[0, 1, 0, 0x0b, 0, 5, 0, 0x72, 0, 0, 0, 0x10, 0, 0x14, 0, 0x0b, 8, 0, 0, 0, 0, 0, 0, 0];
const TLS: &[u8] =
    &[0, 0x23, 0, 0x0b, 0, 4, 0, 0x72, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10, 0, 0, 0, 0];

/// Template L-1: RSA-2048 with 256 zero bytes in `unique`.
fn ek_rsa() -> Vec<u8> {
    let head = [&[0, 1, 0, 0x0b, 0, 3, 0, 0xb2], sized(&unhex(POLICY_A)).as_slice()].concat();
    [&head, [0, 6, 0, 0x80, 0, 0x43, 0, 0x10, 8, 0, 0, 0, 0, 0].as_slice(), &sized(&[0; 256])].concat()
}

/// Template L-2: P-256.
fn ek_p256() -> Vec<u8> {
    let head = [&[0, 0x23, 0, 0x0b, 0, 3, 0, 0xb2], sized(&unhex(POLICY_A)).as_slice()].concat();
    let point = [sized(&[0; 32]), sized(&[0; 32])].concat();
    [&head, [0, 6, 0, 0x80, 0, 0x43, 0, 0x10, 0, 3, 0, 0x10].as_slice(), &point].concat()
}

#[track_caller]
fn credential_is_opened_by_its_tpm(name: &str, ek_template: &[u8], template: Template, ak_template: &[u8]) {
    let Some(mut tpm) = Tpm::start(name) else { return };
    let (ek_handle, ek) = tpm.create_primary(ENDORSEMENT, ek_template);
    let (ak_handle, ak) = tpm.create_primary(ENDORSEMENT, ak_template);
    let (ek, ak) = (EkPublic::parse(&ek).unwrap(), AkPublic::parse(&ak).unwrap());
    assert_eq!(ek.template(), template);

    let credential = make(&ek, &ak.name(), &[0x5a; 32], &[3; 64]).unwrap();
    let Credential { id_object, encrypted_secret } = &credential;
    let opened = tpm.activate(ak_handle, ek_handle, id_object, encrypted_secret);
    assert_eq!(opened, Ok(vec![0x5a; 32]));

    // Any length of secret, and any change of the credential.
    for len in [1, 16, 31] {
        let made = make(&ek, &ak.name(), &[7; 32][..len], &[4; 64]).unwrap();
        let opened = tpm.activate(ak_handle, ek_handle, &made.id_object, &made.encrypted_secret);
        assert_eq!(opened, Ok(vec![7; len]));
    }
    let mut changed = credential.id_object.clone();
    *changed.last_mut().unwrap() ^= 1;
    let refused = tpm.activate(ak_handle, ek_handle, &changed, encrypted_secret);
    assert_eq!(refused, Err(TPM_RC_INTEGRITY));

    // Another key in the same TPM is not the one that was named: the link that CVE-2021-3406 lacked.
    tpm.flush(ak_handle);
    let (other_handle, _) = tpm.create_primary(OWNER, ak_template);
    let refused = tpm.activate(other_handle, ek_handle, id_object, encrypted_secret);
    assert_eq!(refused, Err(TPM_RC_INTEGRITY));
}

#[test]
fn a_credential_for_an_rsa_endorsement_key_is_opened_by_its_tpm() {
    credential_is_opened_by_its_tpm("rsa", &ek_rsa(), Template::L1, AK_ECDSA);
}

#[test]
fn a_credential_for_a_p256_endorsement_key_is_opened_by_its_tpm() {
    credential_is_opened_by_its_tpm("p256", &ek_p256(), Template::L2, AK_ECDSA);
}

#[test]
fn a_credential_for_an_rsa_attestation_key_is_opened_by_its_tpm() {
    credential_is_opened_by_its_tpm("rsassa", &ek_rsa(), Template::L1, AK_RSASSA);
}

/// CVE-2021-3406 again: a credential for one TPM is of no use to another.
#[test]
fn cve_2021_3406_a_credential_is_not_opened_by_another_tpm() {
    let (Some(mut ours), Some(mut other)) = (Tpm::start("ours"), Tpm::start("other")) else { return };
    let (_, ek) = ours.create_primary(ENDORSEMENT, &ek_rsa());
    let (ek_handle, other_ek) = other.create_primary(ENDORSEMENT, &ek_rsa());
    let (ak_handle, ak) = other.create_primary(ENDORSEMENT, AK_ECDSA);
    let (ek, ak) = (EkPublic::parse(&ek).unwrap(), AkPublic::parse(&ak).unwrap());
    assert_ne!(ek.spki_sha256(), EkPublic::parse(&other_ek).unwrap().spki_sha256());
    let made = make(&ek, &ak.name(), &[7; 32], &[4; 64]).unwrap();
    let refused = other.activate(ak_handle, ek_handle, &made.id_object, &made.encrypted_secret);
    assert!(matches!(refused, Err(TPM_RC_VALUE | TPM_RC_FAILURE)), "{refused:?}");
}

#[track_caller]
fn boot_and_tls_key_are_proven(name: &str, ak_template: &[u8]) {
    let Some(mut tpm) = Tpm::start(name) else { return };
    for event in EventLog::parse(samples::LOG).unwrap().events.iter().filter(|event| event.is_measured()) {
        tpm.extend(event.pcr, &event.sha256.unwrap().0);
    }
    let mut values = PcrValues::default();
    for pcr in BOOT_PCRS.iter() {
        values.set(pcr, Digest(tpm.read(pcr))).unwrap();
    }
    let (ak_handle, ak) = tpm.create_primary(ENDORSEMENT, ak_template);
    let ak = AkPublic::parse(&ak).unwrap();
    let (message, signature) = tpm.quote(ak_handle, &NONCE, BOOT_PCRS.bitmap());
    let statement = Statement { message: &message, signature: &signature };
    let quoted = quote::verify(&statement, &ak, &Demand { nonce: &NONCE, pcrs: BOOT_PCRS }, &values).unwrap();
    let report = appraise(&quoted, Some(samples::LOG), &[reference()]).unwrap();
    assert_eq!((report.reference.as_str(), report.secure_boot), ("tpm.efi", SecureBoot::Off));

    let (tls_handle, tls) = tpm.create_primary(OWNER, TLS);
    let (message, signature) = tpm.certify(tls_handle, ak_handle, &NONCE);
    let statement = Statement { message: &message, signature: &signature };
    let key = certify::verify(&statement, &tls, &ak, &NONCE).unwrap();
    p256::PublicKey::from_sec1_bytes(&key.point).unwrap();
    assert_eq!(since(&quoted.clock, &key.clock), Ok(Since::SameBoot));
}

#[test]
fn a_boot_and_a_tls_key_are_proven_by_an_ecdsa_attestation_key() {
    boot_and_tls_key_are_proven("ecdsa-boot", AK_ECDSA);
}

#[test]
fn a_boot_and_a_tls_key_are_proven_by_an_rsassa_attestation_key() {
    boot_and_tls_key_are_proven("rsassa-boot", AK_RSASSA);
}

#[test]
fn a_credential_holds_at_most_a_digest() {
    let ek = EkPublic::parse(include_bytes!("../data/ek.pub")).unwrap();
    for len in [0, 33] {
        let refusal = make(&ek, &samples::ak().name(), &[0; 33][..len], &[3; 64]).unwrap_err();
        assert_eq!(refusal, CredentialError::Secret(len));
    }
    let made = make(&ek, &samples::ak().name(), &[7; 32], &[3; 64]).unwrap();
    assert_eq!((made.id_object.len(), made.encrypted_secret.len()), (2 + 2 + 32 + 2 + 32, 2 + 256));
    let again = make(&ek, &samples::ak().name(), &[7; 32], &[5; 64]).unwrap();
    assert_ne!(made, again, "other randomness, other credential");
}
