//! Rules 4 and 5 of attestation.md: endorsement keys and their certificates, swtpm's own and made here.

use cairn_evidence::ek::{
    EkClass, EkEndorsement, EkEvidence, EkPublicRefusal, EkRefusal, EkTrust, Template, verify_chain,
};
use cairn_evidence::{Digest, EkPublic, Malformed};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, CustomExtension,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber, SubjectPublicKeyInfo, date_time_ymd,
};
use x509_cert::der::{DecodePem as _, Encode as _};

use crate::builders::{Ak, sized};
use crate::samples;

/// 2026-12-01.
const NOW: u64 = 1_796_083_200;
const POLICY_A: &str = "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";
const POLICY_B_384: &str =
    "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12";

const EK: &[u8] = include_bytes!("../data/ek.pub");
const EK_CERTIFICATE: &[u8] = include_bytes!("../data/ek_rsa.crt");
const ECC_CERTIFICATE: &[u8] = include_bytes!("../data/ek_ecc.crt");
const PLATFORM_CERTIFICATE: &[u8] = include_bytes!("../data/platform.crt");

fn der(pem: &str) -> Vec<u8> {
    x509_cert::Certificate::from_pem(pem).unwrap().to_der().unwrap()
}

fn sample_intermediate() -> Vec<u8> {
    der(include_str!("../data/issuercert.pem"))
}

fn sample_root() -> Vec<u8> {
    der(include_str!("../data/swtpm-localca-rootca-cert.pem"))
}

fn sample_ek() -> EkPublic {
    EkPublic::parse(EK).unwrap()
}

/// An ECC endorsement key: L-2 for P-256, H-3 for P-384.
fn ecc_ek(point: &[u8], strong: bool) -> Vec<u8> {
    let (x, y) = point[1..].split_at((point.len() - 1) / 2);
    let head: &[u8] =
        if strong { &[0, 0x23, 0, 0x0c, 0, 3, 0, 0xf2] } else { &[0, 0x23, 0, 0x0b, 0, 3, 0, 0xb2] };
    let policy = samples::unhex(if strong { POLICY_B_384 } else { POLICY_A });
    let parameters: &[u8] = if strong {
        &[0, 6, 1, 0, 0, 0x43, 0, 0x10, 0, 4, 0, 0x10]
    } else {
        &[0, 6, 0, 0x80, 0, 0x43, 0, 0x10, 0, 3, 0, 0x10]
    };
    [head, &sized(&policy), parameters, &sized(x), &sized(y)].concat()
}

#[track_caller]
fn sample_chain(
    certificate: &[u8],
    intermediates: &[&[u8]],
    roots: &[&[u8]],
    at: u64,
) -> Result<EkEndorsement, EkRefusal> {
    let evidence = EkEvidence { certificate, intermediates };
    verify_chain(&sample_ek(), &evidence, &EkTrust { roots, crls: &[] }, at)
        .map(cairn_evidence::Proven::into_inner)
}

#[test]
fn the_sample_endorsement_key_is_named_by_its_certificates_key() {
    use x509_cert::der::Decode as _;
    let ek = sample_ek();
    let certificate = x509_cert::Certificate::from_der(EK_CERTIFICATE).unwrap();
    let spki = certificate.tbs_certificate().subject_public_key_info().to_der().unwrap();
    assert_eq!((ek.template(), ek.spki_sha256()), (Template::L1, Digest::of(&spki)));
    assert_eq!(EkPublic::parse(&EK[2..]).unwrap(), ek, "with and without its size");
}

#[test]
fn the_sample_chain_of_swtpm_is_proven() {
    let (intermediate, root) = (sample_intermediate(), sample_root());
    let endorsed = sample_chain(EK_CERTIFICATE, &[&intermediate], &[&root], NOW).unwrap();
    let expected = EkEndorsement {
        class: EkClass::VirtualWithCertificate,
        manufacturer: "id:00001014".into(),
        model: "swtpm".into(),
        version: "id:20191023".into(),
        template: Template::L1,
        spki_sha256: sample_ek().spki_sha256(),
    };
    assert_eq!(endorsed, expected);
    let filled = [EK_CERTIFICATE, &[0xff; 100]].concat();
    assert_eq!(sample_chain(&filled, &[&intermediate], &[&root], NOW).unwrap(), expected);
}

#[test]
fn the_sample_p384_endorsement_key_is_proven() {
    use x509_cert::der::Decode as _;
    let certificate = x509_cert::Certificate::from_der(ECC_CERTIFICATE).unwrap();
    let spki = certificate.tbs_certificate().subject_public_key_info();
    let ek = EkPublic::parse(&ecc_ek(spki.subject_public_key.raw_bytes(), true)).unwrap();
    assert_eq!((ek.template(), ek.spki_der()), (Template::H3, spki.to_der().unwrap().as_slice()));
    let (intermediate, root) = (sample_intermediate(), sample_root());
    let evidence = EkEvidence { certificate: ECC_CERTIFICATE, intermediates: &[&intermediate] };
    let endorsed = verify_chain(&ek, &evidence, &EkTrust { roots: &[&root], crls: &[] }, NOW).unwrap();
    assert_eq!((endorsed.class, endorsed.template), (EkClass::VirtualWithCertificate, Template::H3));
}

#[test]
fn a_key_that_follows_no_template_is_no_endorsement_key() {
    // userWithAuth without the policy for it; sign; another policy; another symmetric key.
    for (at, value) in [(9, 0xf2), (7, 4), (12, 0), (47, 0), (0x2f, 0)] {
        let mut changed = EK.to_vec();
        changed[at] = value;
        EkPublic::parse(&changed).unwrap_err();
    }
    let mut high_without_policy = EK.to_vec();
    high_without_policy[9] = 0xf2;
    assert_eq!(EkPublic::parse(&high_without_policy), Err(EkPublicRefusal::Template));
    let ak = Ak::new(1).public_bytes(0x0005_0072);
    assert_eq!(EkPublic::parse(&ak), Err(EkPublicRefusal::Template));
    assert_eq!(EkPublic::parse(&[]), Err(EkPublicRefusal::Malformed(Malformed::Truncated("key type"))));
}

/// CVE-2021-3406: Keylime's chain from the endorsement certificate to the attestation had a gap. A true certificate of
/// another TPM must not vouch for the key that a host presents.
#[test]
fn cve_2021_3406_a_certificate_of_another_tpm_is_refused() {
    let mut other = EK.to_vec();
    other[100] ^= 1;
    let other = EkPublic::parse(&other).unwrap();
    let (intermediate, root) = (sample_intermediate(), sample_root());
    let evidence = EkEvidence { certificate: EK_CERTIFICATE, intermediates: &[&intermediate] };
    let result = verify_chain(&other, &evidence, &EkTrust { roots: &[&root], crls: &[] }, NOW);
    assert_eq!(result.unwrap_err(), EkRefusal::OtherKey);
    assert_eq!(
        sample_chain(ECC_CERTIFICATE, &[&intermediate], &[&root], NOW).unwrap_err(),
        EkRefusal::OtherKey
    );
}

#[test]
fn a_chain_to_no_trusted_root_is_refused() {
    let (intermediate, root) = (sample_intermediate(), sample_root());
    let unknown = Err(EkRefusal::UnknownRoot);
    assert_eq!(sample_chain(EK_CERTIFICATE, &[&intermediate], &[], NOW), unknown);
    assert_eq!(sample_chain(EK_CERTIFICATE, &[], &[&root], NOW), unknown);
    assert_eq!(sample_chain(EK_CERTIFICATE, &[&intermediate, &root], &[&Maker::new().root], NOW), unknown);
}

#[test]
fn a_certificate_is_refused_before_its_time_and_when_it_is_of_another_kind() {
    let (intermediate, root) = (sample_intermediate(), sample_root());
    let early = sample_chain(EK_CERTIFICATE, &[&intermediate], &[&root], 0);
    assert_eq!(early, Err(EkRefusal::NotYetValid));
    // A platform certificate is for the same key.
    let platform = sample_chain(PLATFORM_CERTIFICATE, &[&intermediate], &[&root], NOW);
    assert_eq!(platform, Err(EkRefusal::Purpose));
}

#[test]
fn any_changed_byte_of_the_sample_certificate_is_refused() {
    let (intermediate, root) = (sample_intermediate(), sample_root());
    for at in 0..EK_CERTIFICATE.len() {
        let mut changed = EK_CERTIFICATE.to_vec();
        changed[at] ^= 1;
        sample_chain(&changed, &[&intermediate], &[&root], NOW).unwrap_err();
    }
}

#[test]
fn more_certificates_than_any_tpm_has_are_refused() {
    let intermediate = sample_intermediate();
    let many = vec![intermediate.as_slice(); 9];
    assert_eq!(sample_chain(EK_CERTIFICATE, &many, &[&sample_root()], NOW), Err(EkRefusal::TooLarge));
    assert_eq!(sample_chain(&vec![0; 20_000], &[], &[&sample_root()], NOW), Err(EkRefusal::TooLarge));
}

/// A manufacturer made here, and the endorsement key that it certifies.
struct Maker {
    root: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
    ek: EkPublic,
}

impl Maker {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().to_vec();
        let point = Ak::new(5).0.verifying_key().to_sec1_point(false).to_bytes();
        let ek = EkPublic::parse(&ecc_ek(&point, false)).unwrap();
        Self { root, issuer: Issuer::new(params, key), ek }
    }

    /// An honest certificate, before a test changes it.
    fn params() -> CertificateParams {
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2030, 1, 1);
        params.serial_number = Some(SerialNumber::from(77_u64));
        params.key_usages = vec![KeyUsagePurpose::KeyAgreement];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(vec![2, 23, 133, 8, 1])];
        params.custom_extensions = vec![alt_name(&[(1, "id:4E544300"), (2, "NPCT75x"), (3, "id:00070002")])];
        params
    }

    fn certificate(&self, params: &CertificateParams) -> Certificate {
        let key = SubjectPublicKeyInfo::from_der(self.ek.spki_der()).unwrap();
        params.signed_by(&key, &self.issuer).unwrap()
    }

    fn verify(
        &self,
        params: &CertificateParams,
        crls: &[&[u8]],
        at: u64,
    ) -> Result<EkEndorsement, EkRefusal> {
        let certificate = self.certificate(params);
        let evidence = EkEvidence { certificate: certificate.der(), intermediates: &[] };
        verify_chain(&self.ek, &evidence, &EkTrust { roots: &[&self.root], crls }, at)
            .map(cairn_evidence::Proven::into_inner)
    }
}

/// A critical subjectAltName with a directory name of TCG attributes 2.23.133.2.N.
fn alt_name(values: &[(u8, &str)]) -> CustomExtension {
    let tlv = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
    let rdns: Vec<u8> = values
        .iter()
        .flat_map(|(number, text)| {
            let attribute = [tlv(6, &[0x67, 0x81, 5, 2, *number]), tlv(0x0c, text.as_bytes())].concat();
            tlv(0x31, &tlv(0x30, &attribute))
        })
        .collect();
    let names = tlv(0x30, &tlv(0xa4, &tlv(0x30, &rdns)));
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 17], names);
    extension.set_criticality(true);
    extension
}

#[test]
fn a_p256_certificate_of_a_chip_is_proven_with_its_class() {
    let endorsed = Maker::new().verify(&Maker::params(), &[], NOW).unwrap();
    assert_eq!((endorsed.class, endorsed.template), (EkClass::DiscreteWithCertificate, Template::L2));
    let mut params = Maker::params();
    params.custom_extensions = vec![alt_name(&[(1, "id:494e5443"), (2, "PTT"), (3, "id:1")])];
    assert_eq!(Maker::new().verify(&params, &[], NOW).unwrap().class, EkClass::FirmwareWithCertificate);
    params.custom_extensions = vec![alt_name(&[(1, "id:12345678"), (2, "X"), (3, "id:1")])];
    assert_eq!(Maker::new().verify(&params, &[], NOW).unwrap().class, EkClass::UnlistedWithCertificate);
}

#[test]
fn an_expired_certificate_is_refused() {
    // 2031-01-01.
    assert_eq!(Maker::new().verify(&Maker::params(), &[], 1_924_992_000), Err(EkRefusal::Expired));
}

#[test]
fn a_certificate_for_another_use_is_refused() {
    let mut signing = Maker::params();
    signing.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    assert_eq!(Maker::new().verify(&signing, &[], NOW), Err(EkRefusal::KeyUsage));
    let mut none = Maker::params();
    none.key_usages = Vec::new();
    assert_eq!(Maker::new().verify(&none, &[], NOW), Err(EkRefusal::KeyUsage));
    let mut unmarked = Maker::params();
    unmarked.extended_key_usages = Vec::new();
    assert_eq!(Maker::new().verify(&unmarked, &[], NOW), Err(EkRefusal::Purpose));
}

#[test]
fn a_certificate_that_names_no_tpm_is_refused() {
    let mut params = Maker::params();
    for values in [
        [(1, "id:4E544300"), (2, "NPCT75x")].as_slice(),
        &[(1, "id:4E544300"), (1, "id:49465800"), (2, "NPCT75x"), (3, "id:1")],
        &[(1, "id:4E544300\n"), (2, "NPCT75x"), (3, "id:1")],
    ] {
        params.custom_extensions = vec![alt_name(values)];
        assert_eq!(Maker::new().verify(&params, &[], NOW), Err(EkRefusal::AltName), "{values:?}");
    }
    params.custom_extensions = Vec::new();
    assert_eq!(Maker::new().verify(&params, &[], NOW), Err(EkRefusal::AltName));
}

#[test]
fn a_revoked_certificate_is_refused() {
    let maker = Maker::new();
    let revoke = |serial: u64| CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(2028, 1, 1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = |serial| revoke(serial).signed_by(&maker.issuer).unwrap().der().to_vec();
    assert_eq!(maker.verify(&Maker::params(), &[&list(77)], NOW), Err(EkRefusal::Revoked));
    maker.verify(&Maker::params(), &[&list(78)], NOW).unwrap();
    let unusable = maker.verify(&Maker::params(), &[b"no list"], NOW);
    assert!(matches!(unusable, Err(EkRefusal::Configuration(_))), "{unusable:?}");
}

#[test]
fn a_tpm_without_a_certificate_is_shown_as_such() {
    let endorsed = EkEndorsement::without_certificate(&sample_ek());
    assert_eq!(endorsed.class.to_string(), "no certificate");
    assert_eq!(endorsed.spki_sha256, sample_ek().spki_sha256());
}
