//! Checking a signature against one certificate: ours, `sbsign`'s, and others of the same shape.
//!
//! Not a chain builder and not Secure Boot's db/dbx logic: the certificate given must be the signer's own.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use rsa::pkcs1v15::Pkcs1v15Sign;
use sha2_legacy::Sha256;

use super::{
    CertificateError, DerError, HashError, Signer, WIN_CERTIFICATE_HEADER, WIN_CERTIFICATE_KIND, oid,
    read_certificate,
};
use crate::der::{CONTEXT_0, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, SET};
use crate::digest::Sha256Digest;
use crate::pe::{Image, ParseError};

/// Why a signature is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Not a PE32+ image.
    #[error("the image cannot be read")]
    Image(#[from] ParseError),
    /// It has no unambiguous digest.
    #[error("the image cannot be hashed")]
    Hash(#[from] HashError),
    /// No certificate table.
    #[error("the image is not signed")]
    Unsigned,
    /// The first entry of the certificate table is not a PKCS#7 signature.
    #[error("the certificate table does not start with a PKCS#7 signature")]
    Table,
    /// Not the DER of a PKCS#7 signature.
    #[error("the signature cannot be read")]
    Der(#[from] DerError),
    /// A PKCS#7 of another kind.
    #[error("the signature is not an Authenticode signature with SHA-256")]
    Kind,
    /// The certificate is unusable.
    #[error("the certificate cannot be used")]
    Certificate(#[from] CertificateError),
    /// Signed by another certificate.
    #[error("the signer is another certificate")]
    Signer,
    /// The image was changed after it was signed.
    #[error("the signature is for digest {signed}, the image has {found}")]
    Digest {
        /// In the signature.
        signed: Sha256Digest,
        /// Computed.
        found: Sha256Digest,
    },
    /// The attributes are for another content.
    #[error("the signed attributes do not match the content")]
    Attributes,
    /// RSA says no.
    #[error("the signature is wrong")]
    Signature(#[source] rsa::Error),
}

/// Checks the first signature of `pe` against `certificate` (DER) and gives the digest that it covers.
///
/// # Errors
/// Anything but a valid RSA/SHA-256 signature by this very certificate.
pub fn verify(pe: &[u8], certificate: &[u8]) -> Result<Sha256Digest, VerifyError> {
    let image = Image::parse(pe)?;
    let table = image.certificates().ok_or(VerifyError::Unsigned)?;
    let signer = read_certificate(certificate)?;
    let parts = read_signature(pkcs7(pe.get(table).unwrap_or_default()).ok_or(VerifyError::Table)?)?;
    let found = super::digest(pe)?;
    if parts.digest != found {
        return Err(VerifyError::Digest { signed: parts.digest, found });
    }
    check_signer(&parts, &signer)?;
    Ok(found)
}

/// The PKCS#7 bytes of the first entry.
fn pkcs7(table: &[u8]) -> Option<&[u8]> {
    let length = u32::from_le_bytes(*table.first_chunk::<4>()?) as usize;
    let entry = table.get(..length)?;
    (entry.get(4..WIN_CERTIFICATE_HEADER)? == WIN_CERTIFICATE_KIND).then_some(())?;
    entry.get(WIN_CERTIFICATE_HEADER..)
}

struct Parts<'a> {
    digest: Sha256Digest,
    /// What the message digest is taken over.
    content: &'a [u8],
    identifier: &'a [u8],
    attributes: &'a [u8],
    signature: &'a [u8],
}

fn read_signature(bytes: &[u8]) -> Result<Parts<'_>, VerifyError> {
    let mut info = Reader::new(bytes).enter(SEQUENCE)?;
    expect_oid(&mut info, oid::SIGNED_DATA)?;
    let mut body = info.enter(CONTEXT_0)?.enter(SEQUENCE)?;
    body.expect(INTEGER)?;
    body.expect(SET)?;
    let mut content_info = body.enter(SEQUENCE)?;
    expect_oid(&mut content_info, oid::SPC_INDIRECT_DATA)?;
    let content = content_info.enter(CONTEXT_0)?.expect(SEQUENCE)?.value;
    body.optional(CONTEXT_0); // certificates
    body.optional(0xa1); // revocation lists
    let mut signer = body.enter(SET)?.enter(SEQUENCE)?;
    signer.expect(INTEGER)?;
    let identifier = signer.expect(SEQUENCE)?.whole;
    expect_oid(&mut signer.enter(SEQUENCE)?, oid::SHA256)?;
    let attributes = signer.expect(CONTEXT_0)?.value;
    expect_oid(&mut signer.enter(SEQUENCE)?, oid::RSA_ENCRYPTION)?;
    let signature = signer.expect(OCTET_STRING)?.value;
    Ok(Parts { digest: image_digest(content)?, content, identifier, attributes, signature })
}

fn image_digest(content: &[u8]) -> Result<Sha256Digest, VerifyError> {
    let mut reader = Reader::new(content);
    expect_oid(&mut reader.enter(SEQUENCE)?, oid::SPC_PE_IMAGE_DATA)?;
    let mut info = reader.enter(SEQUENCE)?;
    expect_oid(&mut info.enter(SEQUENCE)?, oid::SHA256)?;
    let digest = info.expect(OCTET_STRING)?.value;
    <[u8; 32]>::try_from(digest).map(Into::into).map_err(|_| VerifyError::Kind)
}

fn check_signer(parts: &Parts<'_>, signer: &Signer) -> Result<(), VerifyError> {
    if parts.identifier != signer.identifier {
        return Err(VerifyError::Signer);
    }
    let mut attributes = Reader::new(parts.attributes);
    let (mut kind, mut digest) = (None, None);
    while !attributes.is_empty() {
        let mut attribute = attributes.enter(SEQUENCE)?;
        let name = attribute.expect(OID)?.value;
        let values = attribute.expect(SET)?.value;
        match name {
            oid::CONTENT_TYPE => kind = Some(Reader::new(values).expect(OID)?.value),
            oid::MESSAGE_DIGEST => digest = Some(Reader::new(values).expect(OCTET_STRING)?.value),
            _ => {}
        }
    }
    let expected = Sha256Digest::of(parts.content);
    if kind != Some(oid::SPC_INDIRECT_DATA) || digest != Some(expected.as_bytes().as_slice()) {
        return Err(VerifyError::Attributes);
    }
    // PKCS#7 section 9.3: signed as a SET, although stored under [0].
    let hash = Sha256Digest::of(&crate::der::value(SET, &[parts.attributes]));
    let scheme = Pkcs1v15Sign::new::<Sha256>();
    signer.key.verify(scheme, hash.as_bytes(), parts.signature).map_err(VerifyError::Signature)
}

fn expect_oid(reader: &mut Reader<'_>, oid: &[u8]) -> Result<(), VerifyError> {
    if reader.expect(OID)?.value == oid { Ok(()) } else { Err(VerifyError::Kind) }
}
