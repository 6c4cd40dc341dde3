//! The WebSocket handshake (RFC 6455, 4) by its headers; whoever has the HTTP connection sends and reads them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// RFC 6455, 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why a handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// The request does not ask for a WebSocket, or for another version than 13.
    #[error("this path is a WebSocket, version 13")]
    NotAsked,
    /// The answer is not to our key.
    #[error("the answer is no WebSocket's")]
    NotAnswered,
    /// The system gives no random numbers.
    #[error("there are no random numbers")]
    NoRandomness,
}

/// The key of one request.
#[derive(Debug, Clone)]
pub struct Key(HeaderValue);

/// Headers that ask for a WebSocket, and the key that the answer must be to.
///
/// # Errors
/// [`UpgradeError::NoRandomness`].
pub fn ask() -> Result<(HeaderMap, Key), UpgradeError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| UpgradeError::NoRandomness)?;
    let key = HeaderValue::from_str(&STANDARD.encode(bytes)).map_err(|_| UpgradeError::NoRandomness)?;
    let mut headers = switching();
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(header::SEC_WEBSOCKET_KEY, key.clone());
    Ok((headers, Key(key)))
}

/// Headers of the `101` to a request.
///
/// # Errors
/// [`UpgradeError::NotAsked`].
pub fn answer(request: &HeaderMap) -> Result<HeaderMap, UpgradeError> {
    let version = request.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|v| v == "13");
    let key = request.get(header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24);
    let key = key.filter(|_| version && names(request, &header::UPGRADE, "websocket"));
    let key = key.filter(|_| names(request, &header::CONNECTION, "upgrade")).ok_or(UpgradeError::NotAsked)?;
    let mut headers = switching();
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept(key).ok_or(UpgradeError::NotAsked)?);
    Ok(headers)
}

impl Key {
    /// Whether the headers of a `101` answer this key.
    ///
    /// # Errors
    /// [`UpgradeError::NotAnswered`].
    pub fn check(&self, answer: &HeaderMap) -> Result<(), UpgradeError> {
        let wanted = accept(&self.0);
        let got = answer.get(header::SEC_WEBSOCKET_ACCEPT);
        if wanted.is_some() && got == wanted.as_ref() && names(answer, &header::UPGRADE, "websocket") {
            return Ok(());
        }
        Err(UpgradeError::NotAnswered)
    }
}

fn switching() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers
}

/// SHA-1 is the protocol's own; it secures nothing here.
fn accept(key: &HeaderValue) -> Option<HeaderValue> {
    let both = [key.as_bytes(), GUID].concat();
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &both);
    HeaderValue::from_str(&STANDARD.encode(digest.as_ref())).ok()
}

/// Whether a header's list has `word`, in any case.
fn names(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|v| v.to_str().ok());
    values.flat_map(|v| v.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_answered_as_there() {
        let mut request = switching();
        request.insert("sec-websocket-version", HeaderValue::from_static("13"));
        request.insert("sec-websocket-key", HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        let answer = answer(&request).unwrap();
        assert_eq!(answer["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for missing in ["upgrade", "connection", "sec-websocket-key", "sec-websocket-version"] {
            let mut less = request.clone();
            less.remove(missing);
            assert_eq!(super::answer(&less), Err(UpgradeError::NotAsked), "{missing}");
        }
    }

    #[test]
    fn an_answer_counts_for_its_own_key_only() {
        let (request, key) = ask().unwrap();
        let (_, other) = ask().unwrap();
        let answer = answer(&request).unwrap();
        assert_eq!(key.check(&answer), Ok(()));
        assert_eq!(other.check(&answer), Err(UpgradeError::NotAnswered));
        assert_eq!(key.check(&HeaderMap::new()), Err(UpgradeError::NotAnswered));
    }
}
