//! The one-time code that `cairn init` prints for the first login: 100 random bits, made to be typed.
//!
//! `XXXX-XXXX-XXXX-XXXX-XXXX`; read in any case, with O for 0, I and L for 1, and spaces or hyphens anywhere.

use cairn_contract::Timestamp;
use zeroize::Zeroizing;

use crate::base32;
use crate::secret::{NoRandomness, Secret, SecretHash};

const LENGTH: usize = 20;
const GROUP: usize = 4;
/// A person's input: the code with a space or hyphen after every character.
const LONGEST_INPUT: usize = 64;

/// A code; kept only as its hash.
#[derive(Debug)]
pub struct OneTimeCode(Secret);

/// Why a text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Too few or too many characters.
    #[error("a one-time code has 20 letters and digits; {0} came")]
    Length(usize),
    /// A character that codes never have.
    #[error("a one-time code has only letters and digits, and never the letter U")]
    Character,
}

impl OneTimeCode {
    /// A fresh code.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn random() -> Result<Self, NoRandomness> {
        let mut bytes = Zeroizing::new([0_u8; 13]);
        getrandom::fill(bytes.as_mut()).map_err(|_| NoRandomness)?;
        Ok(Self(Secret::from(base32::encode(bytes.as_ref(), LENGTH).as_str())))
    }

    /// Reads what a person typed.
    ///
    /// # Errors
    /// When it cannot be a code.
    pub fn parse(input: &str) -> Result<Self, CodeError> {
        if input.len() > LONGEST_INPUT {
            return Err(CodeError::Length(input.chars().count()));
        }
        let mut code = Zeroizing::new(String::with_capacity(LONGEST_INPUT));
        for c in input.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            code.push(meant(c).ok_or(CodeError::Character)?);
        }
        if code.len() != LENGTH {
            return Err(CodeError::Length(code.len()));
        }
        Ok(Self(Secret::from(code.as_str())))
    }

    /// In groups of four and upper case, for a person to read: shown once.
    pub fn expose(&self) -> Secret {
        let mut text = Zeroizing::new(String::with_capacity(LENGTH + LENGTH / GROUP));
        for (at, c) in self.0.expose().chars().enumerate() {
            if at > 0 && at.is_multiple_of(GROUP) {
                text.push('-');
            }
            text.push(c.to_ascii_uppercase());
        }
        Secret::from(text.as_str())
    }

    /// What the store keeps.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(self.0.expose())
    }
}

fn meant(c: char) -> Option<char> {
    let c = match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        c => c,
    };
    base32::is_symbol(c).then_some(c)
}

/// What the store knows of a code that was given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCode {
    /// Of the code.
    pub hash: SecretHash,
    /// From then on it is void.
    pub expires: Timestamp,
    /// When somebody used it.
    pub used: Option<Timestamp>,
}

/// Why a code is not good. Say `Wrong` to the person in all cases but in the log the true one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedeemError {
    /// Another code.
    #[error("the one-time code is wrong")]
    Wrong,
    /// Too late.
    #[error("the one-time code has expired; make a new one on the server: cairn admin code")]
    Expired,
    /// A second time.
    #[error("the one-time code was used already; make a new one on the server: cairn admin code")]
    Used,
}

impl IssuedCode {
    /// Uses the code up; the caller commits the changed value with what the code allowed, in one transaction.
    ///
    /// # Errors
    /// When it is another code, too late, or the second time.
    pub fn redeem(&mut self, presented: &OneTimeCode, now: Timestamp) -> Result<(), RedeemError> {
        if presented.hash() != self.hash {
            return Err(RedeemError::Wrong);
        }
        if self.used.is_some() {
            return Err(RedeemError::Used);
        }
        if now >= self.expires {
            return Err(RedeemError::Expired);
        }
        self.used = Some(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_code_is_read_as_a_person_writes_it() {
        let shown = OneTimeCode::parse("0123-4567-89ab-cdef-1100").unwrap();
        assert_eq!(shown.expose().expose(), "0123-4567-89AB-CDEF-1100");
        for typed in
            ["o123 4567 89AB CDEF ilOo", "0L23456789abcdef1100", " 0-1-2-3-4-5-6-7-8-9-a-b-c-d-e-f-I-1-0-o "]
        {
            assert_eq!(OneTimeCode::parse(typed).unwrap().hash(), shown.hash(), "{typed}");
        }
    }

    #[test]
    fn what_cannot_be_a_code_is_refused() {
        let said = |text: &str| OneTimeCode::parse(text).err();
        assert_eq!(said("0123-4567"), Some(CodeError::Length(8)));
        assert_eq!(said("u123-4567-89ab-cdef-1100"), Some(CodeError::Character));
        assert_eq!(said(&"0".repeat(1000)), Some(CodeError::Length(1000)));
    }

    #[test]
    fn a_code_is_good_once_and_in_time() {
        let code = OneTimeCode::random().unwrap();
        let issued = IssuedCode { hash: code.hash(), expires: Timestamp(1000), used: None };
        let mut row = issued.clone();
        assert_eq!(row.redeem(&OneTimeCode::random().unwrap(), Timestamp(1)), Err(RedeemError::Wrong));
        assert_eq!(row.redeem(&code, Timestamp(1000)), Err(RedeemError::Expired));
        assert_eq!(row, issued);
        assert_eq!(row.redeem(&code, Timestamp(999)), Ok(()));
        assert_eq!(row.redeem(&code, Timestamp(999)), Err(RedeemError::Used));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = OneTimeCode::parse(&text);
        }

        #[test]
        fn what_is_shown_is_read(_ in 0..50) {
            let code = OneTimeCode::random().unwrap();
            prop_assert_eq!(OneTimeCode::parse(code.expose().expose()).unwrap().hash(), code.hash());
        }
    }
}
