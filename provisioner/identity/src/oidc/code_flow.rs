//! The login of a browser: authorization code with PKCE (RFC 7636, S256), state and nonce.

use std::borrow::Cow;

use cairn_contract::Timestamp;
use openidconnect::core::CoreAuthenticationFlow;
use openidconnect::url::Url;
use openidconnect::{CsrfToken, Nonce, PkceCodeChallenge, RedirectUrl, Scope};
use serde::{Deserialize, Serialize};

use super::callback::{Answer, Callback};
use super::claims::Person;
use super::known::{DiscoverError, Known};
use super::provider::Provider;
use super::tokens::Tokens;
use super::verify::FinishError;
use crate::secret::Secret;

const LIFETIME_SECONDS: u32 = 600;

/// A login that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser goes now.
    pub url: Url,
    /// What `finish` needs; bound to this browser by the caller, for example by a cookie with its token of `Pendings`.
    pub pending: Pending,
}

/// What must come back, and what only we know. Good for 10 minutes.
#[derive(Debug, Clone)]
pub struct Pending {
    state: Secret,
    nonce: Secret,
    verifier: Secret,
    redirect: Url,
    until: Timestamp,
}

/// A pending login as text, for the store.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    state: String,
    nonce: String,
    verifier: String,
    redirect: Url,
    until: i64,
}

impl Pending {
    /// As text that another provisioner of the site can read; it holds secrets.
    pub fn to_record(&self) -> Secret {
        let text = |secret: &Secret| secret.expose().to_owned();
        let record = Record {
            state: text(&self.state),
            nonce: text(&self.nonce),
            verifier: text(&self.verifier),
            redirect: self.redirect.clone(),
            until: self.until.0,
        };
        Secret::from(serde_json::to_string(&record).expect("texts and a number are JSON"))
    }

    /// What `to_record` wrote.
    pub fn from_record(text: &str) -> Option<Self> {
        let record: Record = serde_json::from_str(text).ok()?;
        Some(Self {
            state: Secret::from(record.state),
            nonce: Secret::from(record.nonce),
            verifier: Secret::from(record.verifier),
            redirect: record.redirect,
            until: Timestamp(record.until),
        })
    }
}

impl Provider {
    /// Begins a browser's login, which comes back to `redirect` (an address of ours that the issuer has registered).
    ///
    /// # Errors
    /// When nothing is known of the issuer.
    pub async fn begin(&self, redirect: &Url, now: Timestamp) -> Result<Begun, DiscoverError> {
        let known = self.known(now).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let request = known.client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        let (url, state, nonce) = request
            .add_scopes(self.scopes().map(|s| Scope::new(s.to_owned())))
            .set_pkce_challenge(challenge)
            .set_redirect_uri(Cow::Owned(RedirectUrl::from_url(redirect.clone())))
            .url();
        let pending = Pending {
            state: Secret::from(state.into_secret()),
            nonce: Secret::from(nonce.secret().as_str()),
            verifier: Secret::from(verifier.into_secret()),
            redirect: redirect.clone(),
            until: now.after_seconds(LIFETIME_SECONDS),
        };
        Ok(Begun { url, pending })
    }

    /// Ends a browser's login. `pending` is used up whatever comes of it.
    ///
    /// # Errors
    /// When the answer is late, of another login or issuer, a refusal, or its token is not to be believed.
    pub async fn finish(
        &self,
        callback: Callback,
        pending: Pending,
        now: Timestamp,
    ) -> Result<Person, FinishError> {
        if now >= pending.until {
            return Err(FinishError::Expired);
        }
        if !callback.state.is(&pending.state) {
            return Err(FinishError::State);
        }
        let known = self.known(now).await?;
        self.check_issuer(&callback, &known)?;
        let code = match callback.answer {
            Answer::Code(code) => code,
            Answer::Refused { code, description } => return Err(FinishError::Refused { code, description }),
        };
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", pending.redirect.as_str()),
            ("code_verifier", pending.verifier.expose()),
        ];
        let tokens: Tokens = self.post(&known, &known.tokens, &form).await.map_err(FinishError::Redeem)?;
        self.person(known, tokens, Some(&pending.nonce), now).await
    }

    /// Configured scopes without `openid`, which is always asked for.
    pub(super) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.config.scopes.iter().map(String::as_str).filter(|s| *s != "openid")
    }

    /// RFC 9207: an answer of another issuer must not be redeemed here.
    fn check_issuer(&self, callback: &Callback, known: &Known) -> Result<(), FinishError> {
        match &callback.issuer {
            Some(issuer) if *issuer == self.config.issuer => Ok(()),
            None if !known.names_itself => Ok(()),
            Some(_) | None => Err(FinishError::Issuer),
        }
    }
}
