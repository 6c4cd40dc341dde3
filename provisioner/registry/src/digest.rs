//! Digests as OCI writes them: `sha256:<64 lowercase hexadecimal digits>` (image-spec, descriptor.md).

use cairn_contract::Digest;

/// Why a text names no content of this registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// A registered or well-formed algorithm that is not kept here.
    #[error("digests of {0} are not kept here: push with sha256")]
    Algorithm(String),
    /// Anything else.
    #[error("not a digest: write sha256: and 64 lowercase hexadecimal digits")]
    Form,
}

const HEX_DIGITS: usize = 64;

/// Reads `sha256:<hex>`.
///
/// # Errors
/// Another algorithm, or no digest at all.
pub fn parse_digest(text: &str) -> Result<Digest, DigestError> {
    let (algorithm, hex) = text.split_once(':').ok_or(DigestError::Form)?;
    if algorithm != "sha256" {
        return Err(if is_algorithm(algorithm) {
            DigestError::Algorithm(algorithm.to_owned())
        } else {
            DigestError::Form
        });
    }
    parse_hex(hex).ok_or(DigestError::Form)
}

/// The hexadecimal digits alone, as files are named.
pub(crate) fn parse_hex(hex: &str) -> Option<Digest> {
    let lower = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (lower && hex.len() == HEX_DIGITS).then(|| hex.parse().ok())?
}

/// As OCI writes it.
pub(crate) fn written(digest: &Digest) -> String {
    format!("sha256:{digest}")
}

fn is_algorithm(text: &str) -> bool {
    let letter = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'.' | b'_' | b'-');
    !text.is_empty() && text.len() <= 32 && text.bytes().all(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha512_is_refused_by_its_name() {
        let said = parse_digest(&format!("sha512:{}", "a".repeat(128))).unwrap_err();
        assert_eq!(said, DigestError::Algorithm("sha512".into()));
    }

    #[test]
    fn only_lowercase_of_the_right_length_is_a_digest() {
        let digest = Digest::of(b"x");
        assert_eq!(parse_digest(&written(&digest)), Ok(digest));
        let upper = written(&digest).replace(|c: char| c.is_ascii_lowercase(), "A");
        for bad in ["", "sha256", "sha256:", "sha256:ab", "SHA256:x", "a b:c", &upper, "sha256:../../etc"] {
            assert_eq!(parse_digest(bad), Err(DigestError::Form), "{bad}");
        }
    }
}
