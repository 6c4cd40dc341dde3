//! What spreadsheets save: UTF-8 with or without byte order mark, and UTF-16 with one. Lines in another encoding are
//! found later, one by one.

use std::borrow::Cow;

use super::ImportError;

/// A file as bytes of UTF-8, but for lines that are not.
pub(super) struct Text<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// Whether it began with a byte order mark.
    pub(super) marked: bool,
}

pub(super) fn utf8(bytes: &[u8]) -> Result<Text<'_>, ImportError> {
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => Text { bytes: Cow::Borrowed(rest), marked: true },
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        rest => Text { bytes: Cow::Borrowed(rest), marked: false },
    };
    if text.bytes.contains(&0) { Err(ImportError::NotText) } else { Ok(text) }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Text<'static>, ImportError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(ImportError::Utf16);
    }
    let text: Result<String, _> = char::decode_utf16(pairs.iter().map(|p| unit(*p))).collect();
    let text = text.map_err(|_| ImportError::Utf16)?;
    Ok(Text { bytes: Cow::Owned(text.into_bytes()), marked: true })
}
