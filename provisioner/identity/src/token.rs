//! Tokens: 256 random bits with a prefix that secret scanners find and a checksum that finds slips of the hand.
//!
//! ```text
//! cairn_st_ 52 characters, 256 bits  6 characters, checksum
//! ```

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::base32;
use crate::secret::{NoRandomness, Secret, SecretHash};

const RANDOM: usize = 52;
const CHECKSUM: usize = 6;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A service token: `cairn_st_`.
    Service,
    /// A session of a browser or of the command line: `cairn_se_`.
    Session,
    /// A login that is under way: `cairn_lo_`.
    Login,
    /// Of a kubeconfig: `cairn_kc_`.
    Cluster,
}

impl TokenKind {
    const ALL: [Self; 4] = [Self::Service, Self::Session, Self::Login, Self::Cluster];

    /// How its tokens begin.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Service => "cairn_st_",
            Self::Session => "cairn_se_",
            Self::Login => "cairn_lo_",
            Self::Cluster => "cairn_kc_",
        }
    }
}

/// A token whose form was checked. Whether it is somebody's, only its hash's row says.
#[derive(Debug, Clone)]
pub struct Token {
    kind: TokenKind,
    text: Secret,
}

/// Why a text is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It begins otherwise.
    #[error("not a token of Cairn: one begins with cairn_st_ or cairn_se_")]
    Prefix,
    /// It is too short or too long, or has other characters.
    #[error("the token is not complete; copy it again")]
    Form,
    /// A character is wrong.
    #[error("the token has a typing error; copy it again")]
    Checksum,
}

impl Token {
    /// A fresh token.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn random(kind: TokenKind) -> Result<Self, NoRandomness> {
        // 52 characters hold 260 bits: 4 bits more than the 32 bytes, which the 33rd gives.
        let mut bytes = Zeroizing::new([0_u8; 33]);
        getrandom::fill(bytes.as_mut()).map_err(|_| NoRandomness)?;
        let body = base32::encode(bytes.as_ref(), RANDOM);
        let check = checksum(kind, &body);
        Ok(Self { kind, text: Secret::from([kind.prefix(), &body, &check].concat()) })
    }

    /// Reads what somebody presents.
    ///
    /// # Errors
    /// When it cannot be a token; no row needs to be looked for.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let of = |kind: &TokenKind| Some((*kind, text.strip_prefix(kind.prefix())?));
        let (kind, rest) = TokenKind::ALL.iter().find_map(of).ok_or(TokenError::Prefix)?;
        if rest.len() != RANDOM + CHECKSUM || !rest.chars().all(base32::is_symbol) {
            return Err(TokenError::Form);
        }
        let (body, check) = rest.split_at_checked(RANDOM).ok_or(TokenError::Form)?;
        if checksum(kind, body) != check {
            return Err(TokenError::Checksum);
        }
        Ok(Self { kind, text: Secret::from(text) })
    }

    /// What it is for.
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The text: shown once to the person who asked for it.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// What the store keeps and finds it by.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(self.text.expose())
    }
}

/// Not a secret: it only finds slips.
fn checksum(kind: TokenKind, body: &str) -> String {
    let digest = Sha256::new().chain_update(kind.prefix()).chain_update(body).finalize();
    base32::encode(&digest, CHECKSUM).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_survives_text_and_keeps_its_hash() {
        for kind in TokenKind::ALL {
            let token = Token::random(kind).unwrap();
            let read = Token::parse(token.expose()).unwrap();
            assert_eq!((read.kind(), read.hash()), (kind, token.hash()));
            assert_eq!(token.expose().len(), 67);
            assert_ne!(token.hash(), Token::random(kind).unwrap().hash());
        }
    }

    #[test]
    fn debug_shows_no_text() {
        let token = Token::random(TokenKind::Service).unwrap();
        assert_eq!(format!("{token:?}"), "Token { kind: Service, text: Secret(..) }");
    }

    #[test]
    fn a_token_of_one_kind_is_none_of_another() {
        let service = Token::random(TokenKind::Service).unwrap();
        let session = service.expose().replace("_st_", "_se_");
        assert_eq!(Token::parse(&session).err(), Some(TokenError::Checksum));
    }

    proptest! {
        #[test]
        fn any_slip_is_found(at in 9_usize..67, to in "[0-9a-z]") {
            let token = Token::random(TokenKind::Session).unwrap();
            let mut text = token.expose().to_owned();
            text.replace_range(at..=at, &to);
            prop_assert_eq!(Token::parse(&text).is_ok(), text == token.expose());
        }

        #[test]
        fn any_other_text_is_refused(text: String) {
            prop_assert!(Token::parse(&text).is_err());
            let begun = format!("cairn_st_{text}");
            prop_assert!(Token::parse(&begun).is_err());
        }
    }
}
