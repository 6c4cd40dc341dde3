//! Passwords: what may be one, and how it is kept (argon2id, OWASP's parameters: 19 MiB, 2 passes, 1 lane).
//!
//! Hashing is bounded: two at once on blocking threads, a short queue, then "busy". So logins cost at most 38 MiB, and a
//! name that nobody has takes as long as one that somebody has.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, spawn_blocking};

use crate::secret::Secret;

const SHORTEST: usize = 12;
const LONGEST: usize = 256;
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Hashes under other parameters are believed up to these, so that a row cannot exhaust memory.
const MOST_MEMORY_KIB: u32 = 64 * 1024;
const MOST_PASSES: u32 = 10;
const MOST_LANES: u32 = 4;
const LONGEST_PHC: usize = 256;
const AT_ONCE: usize = 2;
/// Two at once, each about 30 ms: who is last in the queue waits about a second.
const QUEUE: usize = 64;
/// Of nobody's password, with today's parameters.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Tm9ib2R5J3Mgc2FsdC4u$Tm9ib2R5IGhhcyB0aGlzIHBhc3N3b3JkLCBldmVyLi4";

/// A password that may be set.
#[derive(Debug, Clone)]
pub struct Password(Secret);

/// Why a text may not be a password. There is no rule on kinds of characters (NIST SP 800-63B, 3.1.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too short.
    #[error("the password has {0} characters; choose one of at least 12, for example four words")]
    Short(usize),
    /// Too long.
    #[error("the password has {0} characters; choose one of at most 256")]
    Long(usize),
    /// Tab, newline and the like, which a form may not give back.
    #[error("the password has a control character, such as a tab or a line break; choose one without")]
    Control,
}

impl Password {
    /// Checks a password that somebody wants to set.
    ///
    /// # Errors
    /// With a sentence for that person.
    pub fn new(text: Secret) -> Result<Self, PasswordError> {
        let length = text.expose().chars().count();
        match length {
            ..SHORTEST => Err(PasswordError::Short(length)),
            SHORTEST..=LONGEST if text.expose().chars().any(char::is_control) => Err(PasswordError::Control),
            SHORTEST..=LONGEST => Ok(Self(text)),
            _ => Err(PasswordError::Long(length)),
        }
    }
}

/// A password's hash in PHC form (`$argon2id$v=19$m=...`): what the store keeps.
#[derive(Clone, PartialEq, Eq)]
pub struct Phc(String);

/// Why a stored text is not a hash that we can check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhcError {
    /// Not in PHC form.
    #[error("not a password hash in PHC form")]
    Form,
    /// Not argon2id version 19, or without salt or hash.
    #[error("the password hash is not a complete argon2id")]
    Algorithm,
    /// Costs more than we would ever ask for.
    #[error("the password hash costs too much to check")]
    Cost,
}

impl Phc {
    /// Reads a stored hash.
    ///
    /// # Errors
    /// When it is none that `verify` would check.
    pub fn parse(text: &str) -> Result<Self, PhcError> {
        if text.len() > LONGEST_PHC {
            return Err(PhcError::Form);
        }
        let hash = PasswordHash::new(text).map_err(|_| PhcError::Form)?;
        let complete = hash.salt.is_some() && hash.hash.is_some();
        if hash.algorithm != Algorithm::Argon2id.ident() || hash.version != Some(19) || !complete {
            return Err(PhcError::Algorithm);
        }
        let params = Params::try_from(&hash).map_err(|_| PhcError::Form)?;
        let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
        if memory > MOST_MEMORY_KIB || passes > MOST_PASSES || lanes > MOST_LANES {
            return Err(PhcError::Cost);
        }
        Ok(Self(text.to_owned()))
    }

    /// For the store's row.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Phc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phc(..)")
    }
}

/// Why a hash was not made or checked.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many at once: answer 503.
    #[error("too many logins at once; try again in a few seconds")]
    Busy,
    /// Memory or random numbers are missing.
    #[error("cannot hash the password")]
    Failed(#[source] argon2::password_hash::Error),
    /// The thread ended.
    #[error("cannot hash the password")]
    Ended(#[source] JoinError),
}

/// Makes and checks hashes; one for the whole server, as its bound is on memory.
#[derive(Debug, Clone)]
pub struct Passwords {
    at_once: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { at_once: Arc::new(Semaphore::new(AT_ONCE)), queue: Arc::new(Semaphore::new(QUEUE)) }
    }
}

impl Passwords {
    /// The hash to store for a password, with a fresh salt.
    ///
    /// # Errors
    /// When too many wait, or the system gives no memory or random numbers.
    pub async fn hash(&self, password: &Password) -> Result<Phc, HashError> {
        let (turn, password) = (self.turn().await?, password.clone());
        let hashed = move || {
            let _turn = turn;
            argon().hash_password(password.0.expose().as_bytes())
        };
        let hash: PasswordHash =
            spawn_blocking(hashed).await.map_err(HashError::Ended)?.map_err(HashError::Failed)?;
        Ok(Phc(hash.to_string()))
    }

    /// Whether `presented` is the password of `stored`. Give `None` for a user that does not exist or has no password: the
    /// answer is no, after the same time.
    ///
    /// # Errors
    /// When too many wait, or the system gives no memory.
    pub async fn verify(&self, presented: &Secret, stored: Option<&Phc>) -> Result<bool, HashError> {
        let known = stored.is_some();
        let stored = stored.map_or(NOBODY, Phc::as_str).to_owned();
        // None that is longer was ever set; the work is done all the same, for the time it takes.
        let fits = presented.expose().chars().count() <= LONGEST;
        let presented = if fits { presented.clone() } else { Secret::default() };
        let turn = self.turn().await?;
        let checked = move || {
            let _turn = turn;
            argon().verify_password(presented.expose().as_bytes(), &PasswordHash::new(&stored)?)
        };
        match spawn_blocking(checked).await.map_err(HashError::Ended)? {
            Ok(()) => Ok(known && fits),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(HashError::Failed(error)),
        }
    }

    /// Moves into the blocking thread, so that a caller who goes away does not make room too early.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, HashError> {
        let _place = self.queue.try_acquire().map_err(|_| HashError::Busy)?;
        Arc::clone(&self.at_once).acquire_owned().await.map_err(|_| HashError::Busy)
    }
}

fn argon() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("constants within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn password(text: &str) -> Password {
        Password::new(Secret::from(text)).unwrap()
    }

    #[test]
    fn the_rule_is_length_and_no_control_characters() {
        let said = |text: &str| Password::new(Secret::from(text)).err();
        assert_eq!(said("elevenchars"), Some(PasswordError::Short(11)));
        assert_eq!(said("twelve chars"), None);
        assert_eq!(said("zwölf Zeichn"), None);
        assert_eq!(said(&"x".repeat(256)), None);
        assert_eq!(said(&"x".repeat(257)), Some(PasswordError::Long(257)));
        assert_eq!(said("twelve\tchars"), Some(PasswordError::Control));
    }

    #[tokio::test]
    async fn the_right_password_is_right_and_no_other() {
        let passwords = Passwords::default();
        let phc = passwords.hash(&password("correct horse battery")).await.unwrap();
        assert!(phc.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", phc.as_str());
        assert_eq!(Phc::parse(phc.as_str()), Ok(phc.clone()));
        let verify = async |text: &str| passwords.verify(&Secret::from(text), Some(&phc)).await.unwrap();
        assert!(verify("correct horse battery").await);
        assert!(!verify("correct horse batterY").await);
        assert!(!verify("").await);
        assert!(!verify(&"x".repeat(100_000)).await);
    }

    #[tokio::test]
    async fn nobody_has_no_password_and_takes_the_same_work() {
        let nobody = Phc::parse(NOBODY).unwrap();
        let params = Params::try_from(&PasswordHash::new(nobody.as_str()).unwrap()).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, LANES));
        assert!(!Passwords::default().verify(&Secret::from("anything at all"), None).await.unwrap());
    }

    #[tokio::test]
    async fn two_hash_at_once_and_a_long_queue_is_busy() {
        let passwords = Passwords::default();
        let _both = passwords.at_once.acquire_many(2).await.unwrap();
        let secret = Secret::from("anything at all");
        let waiting = passwords.verify(&secret, None);
        let late = tokio::time::timeout(std::time::Duration::from_millis(50), waiting).await;
        assert!(late.is_err(), "the third waits");
        let _places = passwords.queue.acquire_many(64).await.unwrap();
        assert!(matches!(passwords.verify(&secret, None).await, Err(HashError::Busy)));
    }

    #[test]
    fn a_row_cannot_ask_for_any_cost() {
        let said = |cost: &str| {
            let text = NOBODY.replace("m=19456,t=2,p=1", cost);
            Phc::parse(&text).err()
        };
        assert_eq!(said("m=19456,t=2,p=1"), None);
        assert_eq!(said("m=4194304,t=2,p=1"), Some(PhcError::Cost));
        assert_eq!(said("m=19456,t=200,p=1"), Some(PhcError::Cost));
        assert_eq!(Phc::parse(&NOBODY.replace("argon2id", "argon2i")).err(), Some(PhcError::Algorithm));
        assert_eq!(Phc::parse("$argon2id$v=19$m=19456,t=2,p=1").err(), Some(PhcError::Algorithm));
        assert_eq!(format!("{:?}", Phc::parse(NOBODY).unwrap()), "Phc(..)");
    }

    proptest! {
        #[test]
        fn any_text_is_a_hash_or_refused(text: String, tail in "[$a-z0-9=,]{0,80}") {
            let _ = (Phc::parse(&text), Phc::parse(&format!("$argon2id$v=19${tail}")));
        }
    }
}
