//! Signing: PKCS#7 SignedData over SpcIndirectDataContent, appended as a `WIN_CERTIFICATE`.
//!
//! ```text
//! SignedData { v1, {sha256}, SpcIndirectData { SpcPeImageData, digest }, certificate,
//!              SignerInfo { v1, issuer+serial, sha256, attributes { contentType, messageDigest }, rsa, signature } }
//! ```
//! No signing time: the same image, key and certificate give the same bytes.

use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::{RsaPrivateKey, RsaPublicKey};
use sha2_legacy::Sha256;

use super::{
    CERTIFICATE_ALIGNMENT, CertificateError, HashError, Signer, WIN_CERTIFICATE_HEADER, WIN_CERTIFICATE_KIND,
    algorithm, oid, read_certificate,
};
use crate::der::{self, CONTEXT_0, INTEGER, OCTET_STRING, OID, SEQUENCE, SET};
use crate::digest::Sha256Digest;
use crate::pe::{Image, ParseError};

/// Why an image cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// Not a PE32+ image.
    #[error("the image cannot be read")]
    Image(#[from] ParseError),
    /// It has no unambiguous digest.
    #[error("the image cannot be hashed")]
    Hash(#[from] HashError),
    /// One signature an image.
    #[error("the image is signed already")]
    Signed,
    /// The optional header ends before data directory 4.
    #[error("the image has no place for a signature")]
    NoDirectory,
    /// The certificate is unusable.
    #[error("the certificate cannot be used")]
    Certificate(#[from] CertificateError),
    /// The certificate is for another key.
    #[error("the certificate is not for this key")]
    KeyMismatch,
    /// The key is too short or broken.
    #[error("the key cannot sign")]
    Key(#[source] rsa::Error),
    /// 4 GiB and more.
    #[error("the signed image would be 4 GiB or more")]
    TooLarge,
}

/// `pe` signed by `key`, whose X.509 certificate is `certificate` (DER). PKCS#1 v1.5 with SHA-256.
///
/// # Errors
/// An image that is unreadable or signed, a certificate that is not the key's, or a key that cannot sign.
pub fn sign(pe: &[u8], key: &RsaPrivateKey, certificate: &[u8]) -> Result<Vec<u8>, SignError> {
    let image = Image::parse(pe)?;
    if image.certificates().is_some() {
        return Err(SignError::Signed);
    }
    let entry = image.security_entry().ok_or(SignError::NoDirectory)?;
    let signer = read_certificate(certificate)?;
    if signer.key != RsaPublicKey::from(key) {
        return Err(SignError::KeyMismatch);
    }
    let signed_data = signed_data(&super::digest(pe)?, key, &signer, certificate)?;
    append(pe, entry, &signed_data)
}

fn append(pe: &[u8], entry: usize, signed_data: &[u8]) -> Result<Vec<u8>, SignError> {
    let fitting = |length: usize| u32::try_from(length).map_err(|_| SignError::TooLarge);
    let mut out = pe.to_vec();
    out.resize(pe.len().next_multiple_of(CERTIFICATE_ALIGNMENT), 0);
    let start = out.len();
    out.extend_from_slice(&fitting(WIN_CERTIFICATE_HEADER + signed_data.len())?.to_le_bytes());
    out.extend_from_slice(&WIN_CERTIFICATE_KIND);
    out.extend_from_slice(signed_data);
    out.resize(out.len().next_multiple_of(CERTIFICATE_ALIGNMENT), 0);
    let directory = [fitting(start)?, fitting(out.len() - start)?].map(u32::to_le_bytes).concat();
    let place = out.get_mut(entry..entry + directory.len()).ok_or(SignError::NoDirectory)?;
    place.copy_from_slice(&directory);
    fitting(out.len())?;
    Ok(out)
}

fn signed_data(
    digest: &Sha256Digest,
    key: &RsaPrivateKey,
    signer: &Signer,
    certificate: &[u8],
) -> Result<Vec<u8>, SignError> {
    let sha256 = algorithm(oid::SHA256);
    let version = der::value(INTEGER, &[&[1]]);
    let content = indirect_data(digest, &sha256);
    let attributes = attributes(&content);
    let hash = Sha256Digest::of(&der::value(SET, &[&attributes]));
    let signature = key.sign(Pkcs1v15Sign::new::<Sha256>(), hash.as_bytes()).map_err(SignError::Key)?;
    let info = der::value(
        SEQUENCE,
        &[
            &version,
            &signer.identifier,
            &sha256,
            &der::value(CONTEXT_0, &[&attributes]),
            &algorithm(oid::RSA_ENCRYPTION),
            &der::value(OCTET_STRING, &[&signature]),
        ],
    );
    let spc = der::value(SEQUENCE, &[&content]);
    let body = der::value(
        SEQUENCE,
        &[
            &version,
            &der::value(SET, &[&sha256]),
            &content_info(oid::SPC_INDIRECT_DATA, &spc),
            &der::value(CONTEXT_0, &[certificate]),
            &der::value(SET, &[&info]),
        ],
    );
    Ok(content_info(oid::SIGNED_DATA, &body))
}

fn content_info(kind: &[u8], content: &[u8]) -> Vec<u8> {
    der::value(SEQUENCE, &[&der::value(OID, &[kind]), &der::value(CONTEXT_0, &[content])])
}

/// The content of SpcIndirectDataContent, without its own tag: PKCS#7 takes the message digest over this.
fn indirect_data(digest: &Sha256Digest, sha256: &[u8]) -> Vec<u8> {
    // SpcPeImageData: no flags; the file is SpcLink [2] SpcString [0], the constant that signing tools write.
    let obsolete: Vec<u8> = "<<<Obsolete>>>".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let link = der::value(0xa2, &[&der::value(0x80, &[&obsolete])]);
    let image_data = der::value(SEQUENCE, &[&[0x03, 0x01, 0x00], &der::value(CONTEXT_0, &[&link])]);
    let data = der::value(SEQUENCE, &[&der::value(OID, &[oid::SPC_PE_IMAGE_DATA]), &image_data]);
    let info = der::value(SEQUENCE, &[sha256, &der::value(OCTET_STRING, &[digest.as_bytes()])]);
    [data, info].concat()
}

/// The authenticated attributes, without the tag of their SET; in DER's order of a SET OF (the shorter is first).
fn attributes(content: &[u8]) -> Vec<u8> {
    let attribute = |kind: &[u8], value: Vec<u8>| {
        der::value(SEQUENCE, &[&der::value(OID, &[kind]), &der::value(SET, &[&value])])
    };
    let digest = Sha256Digest::of(content);
    [
        attribute(oid::CONTENT_TYPE, der::value(OID, &[oid::SPC_INDIRECT_DATA])),
        attribute(oid::MESSAGE_DIGEST, der::value(OCTET_STRING, &[digest.as_bytes()])),
    ]
    .concat()
}
