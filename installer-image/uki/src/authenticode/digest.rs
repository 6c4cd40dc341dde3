//! The image digest: what a signature covers and what firmware measures into PCR 4.
//!
//! Both skip `CheckSum`, data directory 4 and the certificate table. They differ in one point: a signer pads the file
//! to 8 bytes before it appends the table, firmware (EDK2's DxeTpm2MeasureBootLib) measures the file as it is. For
//! signed images, and for our UKIs, the two are equal.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use sha2::{Digest as _, Sha256};

use super::CERTIFICATE_ALIGNMENT;
use crate::digest::Sha256Digest;
use crate::pe::{Image, ParseError};

/// Why an image has no digest.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HashError {
    /// Not a PE32+ image.
    #[error("the image cannot be read")]
    Image(#[from] ParseError),
    /// Sections overlap each other or the headers, or have gaps: implementations disagree about such images.
    #[error("the bytes of section {section:?} do not follow those before it")]
    Layout {
        /// The first one out of place.
        section: String,
    },
    /// Bytes follow the certificate table, or it overlaps the sections.
    #[error("the certificate table is not at the end of the file")]
    CertificateTable,
}

/// The digest that a signature of `pe` holds: SHA-256, the file padded to 8 bytes with zeros.
///
/// # Errors
/// An image that cannot be read, or whose digest would depend on the reader.
pub fn digest(pe: &[u8]) -> Result<Sha256Digest, HashError> {
    let (hash, length) = hash(pe)?;
    let padding = [0; CERTIFICATE_ALIGNMENT];
    let missing = length.next_multiple_of(CERTIFICATE_ALIGNMENT).saturating_sub(length);
    Ok(finish(hash.chain_update(padding.get(..missing).unwrap_or_default())))
}

/// The digest that firmware measures when it loads `pe` (TCG PC Client Platform Firmware Profile, section 3.3.4.5).
///
/// # Errors
/// As [`digest`].
pub fn measured(pe: &[u8]) -> Result<Sha256Digest, HashError> {
    hash(pe).map(|(hash, _)| finish(hash))
}

fn finish(hash: Sha256) -> Sha256Digest {
    let bytes: [u8; 32] = hash.finalize().into();
    bytes.into()
}

/// The hash without padding, and the number of file bytes before the certificate table.
fn hash(pe: &[u8]) -> Result<(Sha256, usize), HashError> {
    let image = Image::parse(pe)?;
    let end = match image.certificates() {
        Some(table) if table.end != pe.len() || table.start < covered(&image)? => {
            return Err(HashError::CertificateTable);
        }
        Some(table) => table.start,
        None => {
            covered(&image)?;
            pe.len()
        }
    };
    let mut hash = Sha256::new();
    let mut at = 0;
    let skips = [(image.checksum_field(), 4), (image.security_entry().unwrap_or(end), 8)];
    for (start, length) in skips {
        hash.update(pe.get(at..start).unwrap_or_default());
        at = start.saturating_add(length);
    }
    hash.update(pe.get(at..end).unwrap_or_default());
    Ok((hash, end))
}

/// The end of headers and sections, which must be one run of bytes: then hashing section by section, as the
/// specification says, is hashing the file in order.
fn covered(image: &Image<'_>) -> Result<usize, HashError> {
    let mut sections: Vec<_> = image.sections().iter().filter(|s| s.raw_size != 0).collect();
    sections.sort_by_key(|s| s.raw_offset);
    let mut end = image.size_of_headers();
    for section in sections {
        if section.raw_offset as usize != end {
            return Err(HashError::Layout { section: section.label() });
        }
        end = end.saturating_add(section.raw_size as usize);
    }
    Ok(end)
}
