//! As much DER (X.690) as a PKCS#7 signature takes: nested values out, bounded values in.
//!
//! Not a general reader: one-byte tags, definite lengths below 4 GiB. Callers: `authenticode`.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: [u8; 2] = [0x05, 0];
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[0]`, constructed.
pub(crate) const CONTEXT_0: u8 = 0xa0;

/// Bytes that are not the expected DER.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("DER value with tag {expected:#04x} expected, {} bytes left", .left)]
pub struct DerError {
    expected: u8,
    left: usize,
}

/// One value: tag, length, the parts one after the other.
pub(crate) fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short @ 0..=0x7f) => out.push(short),
        _ => {
            let bytes = content.len().to_be_bytes();
            let first = bytes.iter().position(|b| *b != 0).unwrap_or(0);
            let digits = bytes.get(first..).unwrap_or_default();
            out.push(0x80 | digits.len().to_le_bytes()[0]);
            out.extend_from_slice(digits);
        }
    }
    out.extend_from_slice(&content);
    out
}

/// A value that was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: u8,
    /// Content.
    pub(crate) value: &'a [u8],
    /// Tag, length and content.
    pub(crate) whole: &'a [u8],
}

/// Reads values one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next value, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Tlv<'a>, DerError> {
        let error = DerError { expected: tag, left: self.rest.len() };
        let (found, rest) = split(self.rest).filter(|(tlv, _)| tlv.tag == tag).ok_or(error)?;
        self.rest = rest;
        Ok(found)
    }

    /// The next value if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<Tlv<'a>> {
        self.expect(tag).ok()
    }

    /// A reader of the next value's content.
    pub(crate) fn enter(&mut self, tag: u8) -> Result<Self, DerError> {
        self.expect(tag).map(|tlv| Self::new(tlv.value))
    }
}

fn split(bytes: &[u8]) -> Option<(Tlv<'_>, &[u8])> {
    let (&tag, after_tag) = bytes.split_first()?;
    let (&first, after_first) = after_tag.split_first()?;
    let (length, content) = match first {
        0..=0x7f => (usize::from(first), after_first),
        0x81..=0x84 => {
            let (digits, content) = after_first.split_at_checked(usize::from(first & 0x0f))?;
            (digits.iter().fold(0, |n: usize, d| n << 8 | usize::from(*d)), content)
        }
        _ => return None,
    };
    let (value, rest) = content.split_at_checked(length)?;
    let whole = bytes.get(..bytes.len().checked_sub(rest.len())?)?;
    Some((Tlv { tag, value, whole }, rest))
}
