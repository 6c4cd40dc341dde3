//! The endorsement certificate: a manufacturer says that this key is in a TPM of its making (attestation rules 4, 5).
//!
//! webpki builds the path to a configured root, with validity, CA constraints and revocation. It does not know TPMs, so the
//! leaf's key, key usage, extended key usage and TCG alternative name are judged here. The leaf must be for the very key
//! that the host presented: that link is what CVE-2021-3406 lacked.

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, EndEntityCert, KeyUsage, RevocationOptionsBuilder,
};
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{self, Decode as _, Tag, Tagged as _};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{ExtendedKeyUsage, SubjectAltName};
use x509_cert::name::Name as X509Name;

use super::manufacturer::{EkClass, class_of};
use super::{EkPublic, Template};
use crate::public::Key;
use crate::{Digest, Proven};

/// tcg-kp-EKCertificate, 2.23.133.8.1, as DER content.
const EK_CERTIFICATE: &[u8] = &[0x67, 0x81, 0x05, 0x08, 0x01];
const EK_CERTIFICATE_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.8.1");
const MANUFACTURER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.2.1");
const MODEL: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.2.2");
const VERSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.2.3");
/// Honest ones are 1 to 2 KiB, chains 1 to 4 long.
const CERTIFICATE_MAX: usize = 16 << 10;
const INTERMEDIATES_MAX: usize = 8;

/// What the host sent about its endorsement key: foreign bytes.
#[derive(Debug, Clone, Copy)]
pub struct EkEvidence<'a> {
    /// The certificate in DER, as read from NV: filling after it is ignored.
    pub certificate: &'a [u8],
    /// Certificates between it and a root, in DER and in any order: from the TPM, or from the site's store.
    pub intermediates: &'a [&'a [u8]],
}

/// What the site trusts.
#[derive(Debug, Clone, Copy)]
pub struct EkTrust<'a> {
    /// Manufacturers' root certificates in DER.
    pub roots: &'a [&'a [u8]],
    /// Revocation lists in DER. A certificate that no list speaks of is not refused for that.
    pub crls: &'a [&'a [u8]],
}

/// What is known of a TPM, and how well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EkEndorsement {
    /// The class that policy looks at.
    pub class: EkClass,
    /// TPM manufacturer, as `id:` and hexadecimal digits; empty without a certificate.
    pub manufacturer: String,
    /// TPM model; empty without a certificate.
    pub model: String,
    /// TPM version, as `id:` and hexadecimal digits; empty without a certificate.
    pub version: String,
    /// The key's template.
    pub template: Template,
    /// SHA-256 of the key's SubjectPublicKeyInfo: the host's identity.
    pub spki_sha256: Digest,
}

impl EkEndorsement {
    /// What is known of a TPM that has no certificate: its key, and nothing of its maker. Not `Proven`.
    #[must_use]
    pub fn without_certificate(ek: &EkPublic) -> Self {
        Self {
            class: EkClass::NoCertificate,
            manufacturer: String::new(),
            model: String::new(),
            version: String::new(),
            template: ek.template(),
            spki_sha256: ek.spki_sha256(),
        }
    }
}

/// Why an endorsement certificate vouches for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EkRefusal {
    /// The certificate cannot be read.
    #[error("the endorsement certificate is malformed")]
    Malformed(#[source] der::Error),
    /// More bytes or certificates than any TPM has.
    #[error("the endorsement certificate or its chain is larger than allowed")]
    TooLarge,
    /// It is for another key than the one that the host presented.
    #[error("the endorsement certificate is for another key")]
    OtherKey,
    /// No configured root stands behind it.
    #[error("the endorsement certificate leads to no trusted root")]
    UnknownRoot,
    /// Too late.
    #[error("the endorsement certificate, or one above it, has expired")]
    Expired,
    /// Too early, or the server's clock is wrong.
    #[error("the endorsement certificate, or one above it, is not valid yet")]
    NotYetValid,
    /// On a revocation list.
    #[error("the endorsement certificate, or one above it, is revoked")]
    Revoked,
    /// The path does not hold for another reason.
    #[error("the endorsement certificate's chain does not verify")]
    Chain(#[source] webpki::Error),
    /// A configured root or revocation list cannot be read: the site's fault, not the host's.
    #[error("a configured endorsement root or revocation list is unusable")]
    Configuration(#[source] webpki::Error),
    /// The key may not be used as an endorsement key.
    #[error("the endorsement certificate's key usage is not that of an endorsement key")]
    KeyUsage,
    /// The certificate is of another kind, for instance a platform certificate.
    #[error("the endorsement certificate is not marked as one")]
    Purpose,
    /// Manufacturer, model and version of the TPM are not in its alternative name.
    #[error("the endorsement certificate does not name manufacturer, model and version of a tpm")]
    AltName,
}

/// Checks that a trusted manufacturer vouches for this key, at this time in seconds since 1970.
pub fn verify_chain(
    ek: &EkPublic,
    evidence: &EkEvidence<'_>,
    trust: &EkTrust<'_>,
    at: u64,
) -> Result<Proven<EkEndorsement>, EkRefusal> {
    let too_large = |certificate: &&[u8]| certificate.len() > CERTIFICATE_MAX;
    if evidence.intermediates.len() > INTERMEDIATES_MAX
        || evidence.intermediates.iter().any(too_large)
        || too_large(&evidence.certificate)
    {
        return Err(EkRefusal::TooLarge);
    }
    let leaf_der = without_filling(evidence.certificate);
    let leaf = Certificate::from_der(leaf_der).map_err(EkRefusal::Malformed)?;
    if !certifies(&leaf, ek) {
        return Err(EkRefusal::OtherKey);
    }
    build_path(leaf_der, evidence, trust, at)?;
    check_usage(&leaf, ek)?;
    let [manufacturer, model, version] = read_alt_name(&leaf)?;
    let class = class_of(&manufacturer);
    let (template, spki_sha256) = (ek.template(), ek.spki_sha256());
    Ok(Proven::new(EkEndorsement { class, manufacturer, model, version, template, spki_sha256 }))
}

/// NV indices are often larger than the certificate in them.
fn without_filling(bytes: &[u8]) -> &[u8] {
    let length = match bytes {
        [0x30, 0x82, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])).saturating_add(4),
        _ => return bytes,
    };
    bytes.get(..length).unwrap_or(bytes)
}

/// Is this certificate for the presented key? Key bits are compared, since manufacturers write the algorithm differently.
fn certifies(leaf: &Certificate, ek: &EkPublic) -> bool {
    let certified = leaf.tbs_certificate().subject_public_key_info().subject_public_key.as_bytes();
    let presented = der::Decode::from_der(ek.spki_der())
        .map(|spki: x509_cert::SubjectPublicKeyInfo| spki.subject_public_key);
    matches!((certified, presented), (Some(certified), Ok(presented)) if presented.as_bytes() == Some(certified))
}

fn build_path(leaf: &[u8], evidence: &EkEvidence<'_>, trust: &EkTrust<'_>, at: u64) -> Result<(), EkRefusal> {
    let leaf = CertificateDer::from(leaf);
    let leaf = EndEntityCert::try_from(&leaf).map_err(refusal)?;
    let roots: Vec<CertificateDer<'_>> = trust.roots.iter().map(|root| CertificateDer::from(*root)).collect();
    let anchors: Result<Vec<TrustAnchor<'_>>, _> =
        roots.iter().map(webpki::anchor_from_trusted_cert).collect();
    let anchors = anchors.map_err(EkRefusal::Configuration)?;
    let intermediates: Vec<CertificateDer<'_>> =
        evidence.intermediates.iter().map(|der| CertificateDer::from(without_filling(der))).collect();
    let crls: Result<Vec<CertRevocationList<'_>>, _> =
        trust.crls.iter().map(|der| BorrowedCertRevocationList::from_der(der).map(Into::into)).collect();
    let crls = crls.map_err(EkRefusal::Configuration)?;
    let crls: Vec<&CertRevocationList<'_>> = crls.iter().collect();
    let revocation = RevocationOptionsBuilder::new(&crls)
        .ok()
        .map(|options| options.with_status_policy(webpki::UnknownStatusPolicy::Allow).build());
    // Required on the leaf alone, below: webpki would demand it of the CAs too, which do not have it.
    let usage = KeyUsage::required_if_present(EK_CERTIFICATE);
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at));
    leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &anchors,
        &intermediates,
        time,
        usage,
        revocation,
        None,
    )
    .map(drop)
    .map_err(refusal)
}

fn refusal(error: webpki::Error) -> EkRefusal {
    match error {
        webpki::Error::UnknownIssuer => EkRefusal::UnknownRoot,
        webpki::Error::CertExpired { .. } => EkRefusal::Expired,
        webpki::Error::CertNotValidYet { .. } => EkRefusal::NotYetValid,
        webpki::Error::CertRevoked => EkRefusal::Revoked,
        webpki::Error::RequiredEkuNotFoundContext(_) => EkRefusal::Purpose,
        other => EkRefusal::Chain(other),
    }
}

/// EK Credential Profile 2.5, 3.2: keyEncipherment for RSA, keyAgreement for a curve; marked as an EK certificate.
fn check_usage(leaf: &Certificate, ek: &EkPublic) -> Result<(), EkRefusal> {
    let tbs = leaf.tbs_certificate();
    let usage = tbs.get_extension::<x509_cert::ext::pkix::KeyUsage>().map_err(EkRefusal::Malformed)?;
    let fit = usage.is_some_and(|(_, usage)| match ek.key() {
        Key::Rsa { .. } => usage.key_encipherment(),
        Key::P256 { .. } | Key::P384 { .. } => usage.key_agreement(),
    });
    if !fit {
        return Err(EkRefusal::KeyUsage);
    }
    let purposes = tbs.get_extension::<ExtendedKeyUsage>().map_err(EkRefusal::Malformed)?;
    if purposes.is_some_and(|(_, ExtendedKeyUsage(purposes))| purposes.contains(&EK_CERTIFICATE_OID)) {
        Ok(())
    } else {
        Err(EkRefusal::Purpose)
    }
}

/// Manufacturer, model and version from the directory name of the alternative name (EK Credential Profile 2.5, 3.1.2).
fn read_alt_name(leaf: &Certificate) -> Result<[String; 3], EkRefusal> {
    let alt_name = leaf.tbs_certificate().get_extension::<SubjectAltName>().map_err(EkRefusal::Malformed)?;
    let (_, SubjectAltName(names)) = alt_name.ok_or(EkRefusal::AltName)?;
    let mut directory = names.iter().filter_map(|name| match name {
        GeneralName::DirectoryName(name) => Some(name),
        _ => None,
    });
    match (directory.next(), directory.next()) {
        (Some(name), None) => Ok([text(name, MANUFACTURER)?, text(name, MODEL)?, text(name, VERSION)?]),
        _ => Err(EkRefusal::AltName),
    }
}

/// The one value of this attribute, printable and short.
fn text(name: &X509Name, oid: ObjectIdentifier) -> Result<String, EkRefusal> {
    let mut values = name.iter().filter(|attribute| attribute.oid == oid);
    let (Some(attribute), None) = (values.next(), values.next()) else {
        return Err(EkRefusal::AltName);
    };
    let value = &attribute.value;
    let text = match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => std::str::from_utf8(value.value()).ok(),
        _ => None,
    };
    text.filter(|text| text.len() <= 128 && !text.chars().any(char::is_control))
        .map(str::to_owned)
        .ok_or(EkRefusal::AltName)
}
