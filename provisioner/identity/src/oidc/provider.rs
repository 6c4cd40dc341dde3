//! One issuer, as configured; asked about itself when that is needed, never at start.

use std::sync::Arc;

use cairn_contract::Timestamp;
use openidconnect::{ClientId, IssuerUrl};
use tokio::sync::Mutex;

use super::config::{Oidc, SetupError};
use super::http::Http;
use super::known::{DiscoverError, Known};
use crate::secret::Secret;

/// How long addresses and keys are believed.
const LIFETIME_SECONDS: u64 = 3600;
/// Not more often than this because of a key that is not known.
const REKEY_SECONDS: u64 = 10;
/// After a failure nobody waits for the next one.
const FAILURE_SECONDS: u64 = 5;

/// The issuer that people log in to. `begin`, `finish`, `begin_device` and `poll_device` are in the modules of their flows.
#[derive(Debug)]
pub struct Provider {
    pub(super) config: Oidc,
    pub(super) issuer: IssuerUrl,
    pub(super) client_id: ClientId,
    pub(super) secret: Option<Secret>,
    pub(super) http: Http,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    known: Option<Arc<Known>>,
    failed: Option<(Timestamp, DiscoverError)>,
}

impl Provider {
    /// Reads the files that `config` names; asks nobody yet.
    ///
    /// # Errors
    /// When a value or a file cannot be used.
    pub fn new(config: Oidc) -> Result<Self, SetupError> {
        let url = config.checked_issuer()?;
        let issuer =
            IssuerUrl::new(config.issuer.clone()).map_err(|_| SetupError::Issuer(config.issuer.clone()))?;
        Ok(Self {
            http: Http::new(&url, config.ca_file.as_deref())?,
            secret: config.secret()?,
            client_id: ClientId::new(config.client_id.clone()),
            issuer,
            config,
            seen: Mutex::default(),
        })
    }

    /// The issuer identifier, as configured.
    pub fn issuer(&self) -> &str {
        &self.config.issuer
    }

    /// Asks the issuer about itself unless that is known: for a check of the configuration.
    ///
    /// # Errors
    /// When it does not answer as an issuer does.
    pub async fn check(&self, now: Timestamp) -> Result<(), DiscoverError> {
        self.known(now).await.map(drop)
    }

    /// What is known, not older than an hour. Many callers wait for one question.
    pub(super) async fn known(&self, now: Timestamp) -> Result<Arc<Known>, DiscoverError> {
        let mut seen = self.seen.lock().await;
        if let Some(known) = seen.known.as_ref().filter(|k| k.age(now) < LIFETIME_SECONDS) {
            return Ok(Arc::clone(known));
        }
        self.discover(&mut seen, now).await
    }

    /// Newer keys than `old` has, if it may be asked for them.
    pub(super) async fn rekeyed(
        &self,
        old: &Arc<Known>,
        now: Timestamp,
    ) -> Result<Option<Arc<Known>>, DiscoverError> {
        let mut seen = self.seen.lock().await;
        match seen.known.as_ref().filter(|known| !Arc::ptr_eq(known, old)) {
            Some(newer) => Ok(Some(Arc::clone(newer))),
            None if old.age(now) < REKEY_SECONDS => Ok(None),
            None => self.discover(&mut seen, now).await.map(Some),
        }
    }

    async fn discover(&self, seen: &mut Seen, now: Timestamp) -> Result<Arc<Known>, DiscoverError> {
        if let Some((at, error)) = &seen.failed
            && now.seconds().abs_diff(at.seconds()) < FAILURE_SECONDS
        {
            return Err(error.clone());
        }
        match Known::discover(&self.issuer, &self.client_id, &self.http, now).await {
            Ok(known) => {
                let known = Arc::new(known);
                *seen = Seen { known: Some(Arc::clone(&known)), failed: None };
                Ok(known)
            }
            Err(error) => {
                tracing::warn!(issuer = %self.config.issuer, %error, "the issuer of logins does not answer as it should");
                seen.failed = Some((now, error.clone()));
                Err(error)
            }
        }
    }
}
