//! The secret halves of bootstrap tokens: asked for when they are needed, held in memory, made zero afterwards.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use uuid::Uuid;
use zeroize::Zeroizing;

/// What a [`Tokens`] answers: secret halves by token id.
pub type Answer<'a> =
    Pin<Box<dyn Future<Output = Result<BTreeMap<String, Zeroizing<String>>, TokensError>> + Send + 'a>>;

/// Gives the secret halves that concern this host (`SecretsAsk::Bootstrap`).
pub trait Tokens: Send + Sync {
    /// Those of one cluster: a joining host's own, or all open ones for a control plane.
    fn ask(&self, cluster: Uuid) -> Answer<'_>;
}

/// The provisioner did not give them.
#[derive(Debug, thiserror::Error)]
#[error("the provisioner does not give the join tokens: {0}")]
pub struct TokensError(pub String);

/// A whole token. Neither `Debug` nor an error shows its secret half.
#[derive(Clone)]
pub struct Token {
    /// Six characters of a-z0-9.
    pub id: String,
    secret: Zeroizing<String>,
}

impl Token {
    /// From both halves; none unless they look as Kubernetes wants them (6 and 16 of a-z0-9).
    #[must_use]
    pub fn new(id: &str, secret: Zeroizing<String>) -> Option<Self> {
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let good = id.len() == 6 && secret.len() == 16 && plain(id) && plain(&secret);
        good.then(|| Self { id: id.to_owned(), secret })
    }

    /// The secret half.
    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }

    /// `id.secret`.
    pub(crate) fn whole(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}.{}", self.id, &*self.secret))
    }

    /// `text` without the secret half.
    pub(crate) fn hide(&self, text: &str) -> String {
        text.replace(self.secret.as_str(), "<secret>")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.id)
    }
}
