//! The login of the command line: device authorization (RFC 8628), which the provisioner drives for it.
//!
//! ```text
//! begin_device -> code and address for the person; poll_device every few seconds:
//!   Waiting -> Waiting -> Done(person) | Denied | Expired
//! ```

use cairn_contract::Timestamp;
use openidconnect::url::Url;
use serde::{Deserialize, Serialize};

use super::claims::Person;
use super::known::{DiscoverError, Proof};
use super::provider::Provider;
use super::tokens::{EndpointError, Tokens};
use super::verify::FinishError;
use crate::secret::Secret;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// RFC 8628, 3.2.
const INTERVAL_SECONDS: u32 = 5;
/// RFC 8628, 3.5: `slow_down` adds this.
const SLOWER_SECONDS: u32 = 5;
const LONGEST_INTERVAL: u32 = 60;
const LONGEST_LIFE: u32 = 3600;
const LONGEST_CODE: usize = 64;

/// A device's login that is under way. The secret in it stays with the provisioner.
#[derive(Debug, Clone)]
pub struct DeviceLogin {
    /// What the person types.
    pub user_code: String,
    /// Where the person types it.
    pub address: Url,
    /// The same with the code in it, when the issuer has one.
    pub complete_address: Option<Url>,
    /// From then on it is void.
    pub until: Timestamp,
    /// Seconds between two polls; grows when the issuer asks for that.
    pub interval: u32,
    code: Secret,
    next: Timestamp,
}

/// What a poll gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DevicePoll {
    /// The person has not decided; ask again in so many seconds.
    Waiting {
        /// Until the next poll is heard.
        seconds: u32,
    },
    /// The person said no.
    Denied,
    /// The person took too long.
    Expired,
    /// The person logged in.
    Done(Box<Person>),
}

/// Why a device's login cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// Nothing is known of the issuer.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// The issuer has no such login.
    #[error("the issuer offers no login for devices; log in with a browser, or use a service token")]
    NotOffered,
    /// It refused.
    #[error("the issuer did not begin the login")]
    Begin(#[source] EndpointError),
    /// Its answer cannot be shown to a person.
    #[error("the issuer named an address or a code for the person that cannot be used")]
    Strange,
}

#[derive(Deserialize)]
struct Granted {
    device_code: Secret,
    user_code: String,
    verification_uri: Url,
    verification_uri_complete: Option<Url>,
    expires_in: u32,
    interval: Option<u32>,
}

impl Provider {
    /// Begins a device's login.
    ///
    /// # Errors
    /// When the issuer is not known, has no such login or refuses.
    pub async fn begin_device(&self, now: Timestamp) -> Result<DeviceLogin, DeviceError> {
        let known = self.known(now).await?;
        let url = known.device.as_ref().ok_or(DeviceError::NotOffered)?;
        let scope = std::iter::once("openid").chain(self.scopes()).collect::<Vec<_>>().join(" ");
        let mut form = vec![("scope", scope.as_str())];
        if self.secret.is_some() && known.proof == Proof::Basic {
            // Some providers look for it only here; without a secret `post` writes it.
            form.push(("client_id", self.client_id.as_str()));
        }
        let granted: Granted = self.post(&known, url, &form).await.map_err(DeviceError::Begin)?;
        let shown = |url: &Url| self.http.may_use(url);
        let typed = |c: char| c.is_ascii_graphic() || c == ' ';
        let readable =
            (1..=LONGEST_CODE).contains(&granted.user_code.len()) && granted.user_code.chars().all(typed);
        if !readable || !shown(&granted.verification_uri) {
            return Err(DeviceError::Strange);
        }
        let interval = granted.interval.unwrap_or(INTERVAL_SECONDS).clamp(1, LONGEST_INTERVAL);
        Ok(DeviceLogin {
            user_code: granted.user_code,
            address: granted.verification_uri,
            complete_address: granted.verification_uri_complete.filter(shown),
            until: now.after_seconds(granted.expires_in.clamp(1, LONGEST_LIFE)),
            interval,
            code: granted.device_code,
            next: now.after_seconds(interval),
        })
    }

    /// Asks once whether the person has decided; too early, the issuer is not asked. After anything but `Waiting` the login is
    /// over.
    ///
    /// # Errors
    /// When the person logged in but the token is not to be believed, or the issuer refuses for another reason.
    pub async fn poll_device(
        &self,
        login: &mut DeviceLogin,
        now: Timestamp,
    ) -> Result<DevicePoll, FinishError> {
        if now >= login.until {
            return Ok(DevicePoll::Expired);
        }
        if now < login.next {
            return Ok(DevicePoll::Waiting { seconds: login.seconds_left(now) });
        }
        login.next = now.after_seconds(login.interval);
        let known = self.known(now).await?;
        let form = [("grant_type", GRANT), ("device_code", login.code.expose())];
        let error = match self.post::<Tokens>(&known, &known.tokens, &form).await {
            Ok(tokens) => {
                login.until = now;
                return self.person(known, tokens, None, now).await.map(|p| DevicePoll::Done(Box::new(p)));
            }
            Err(error) => error,
        };
        login.heard(error, now)
    }
}

/// A device's login as text, for the store.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    user_code: String,
    address: Url,
    complete_address: Option<Url>,
    until: i64,
    interval: u32,
    code: String,
    next: i64,
}

impl DeviceLogin {
    /// As text that another provisioner of the site can read; it holds a secret.
    pub fn to_record(&self) -> Secret {
        let record = Record {
            user_code: self.user_code.clone(),
            address: self.address.clone(),
            complete_address: self.complete_address.clone(),
            until: self.until.0,
            interval: self.interval,
            code: self.code.expose().to_owned(),
            next: self.next.0,
        };
        Secret::from(serde_json::to_string(&record).expect("texts and numbers are JSON"))
    }

    /// What `to_record` wrote.
    pub fn from_record(text: &str) -> Option<Self> {
        let record: Record = serde_json::from_str(text).ok()?;
        Some(Self {
            user_code: record.user_code,
            address: record.address,
            complete_address: record.complete_address,
            until: Timestamp(record.until),
            interval: record.interval,
            code: Secret::from(record.code),
            next: Timestamp(record.next),
        })
    }

    /// RFC 8628, 3.5.
    fn heard(&mut self, error: EndpointError, now: Timestamp) -> Result<DevicePoll, FinishError> {
        let code = match &error {
            EndpointError::Said { code, .. } => code.as_str(),
            // Back off when it does not answer; the person may still be typing.
            EndpointError::Http(http) => {
                tracing::warn!(error = %super::http::chain(http), "the issuer of logins does not answer");
                return Ok(self.slower(self.interval, now));
            }
            EndpointError::Strange(status) if status.is_server_error() => {
                tracing::warn!(%status, "the issuer of logins has trouble");
                return Ok(self.slower(self.interval, now));
            }
            EndpointError::Strange(_) => "",
        };
        match code {
            "authorization_pending" => Ok(DevicePoll::Waiting { seconds: self.seconds_left(now) }),
            "slow_down" => Ok(self.slower(SLOWER_SECONDS, now)),
            "access_denied" => Ok(self.over(DevicePoll::Denied, now)),
            "expired_token" => Ok(self.over(DevicePoll::Expired, now)),
            _ => {
                self.until = now;
                Err(FinishError::Redeem(error))
            }
        }
    }

    fn slower(&mut self, by: u32, now: Timestamp) -> DevicePoll {
        self.interval = self.interval.saturating_add(by).min(LONGEST_INTERVAL);
        self.next = now.after_seconds(self.interval);
        DevicePoll::Waiting { seconds: self.seconds_left(now) }
    }

    fn over(&mut self, poll: DevicePoll, now: Timestamp) -> DevicePoll {
        self.until = now;
        poll
    }

    /// At least 1, at most the interval: the clock may have been set back.
    fn seconds_left(&self, now: Timestamp) -> u32 {
        let milliseconds = self.next.0.saturating_sub(now.0).max(0);
        u32::try_from(milliseconds.saturating_add(999) / 1000)
            .unwrap_or(u32::MAX)
            .clamp(1, self.interval.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn login() -> DeviceLogin {
        let address = Url::parse("https://a.test/device").expect("an address");
        DeviceLogin {
            user_code: "ABCD".to_owned(),
            complete_address: None,
            address,
            until: Timestamp(600_000),
            interval: 5,
            code: Secret::from("c"),
            next: Timestamp(5000),
        }
    }

    fn said(code: &str) -> EndpointError {
        EndpointError::Said { code: code.to_owned(), description: None }
    }

    #[test]
    fn each_answer_of_the_issuer_has_its_meaning() {
        let now = Timestamp(5000);
        let mut one = login();
        one.next = Timestamp(10_000);
        assert_eq!(
            one.heard(said("authorization_pending"), now).unwrap(),
            DevicePoll::Waiting { seconds: 5 }
        );
        assert_eq!(one.heard(said("slow_down"), now).unwrap(), DevicePoll::Waiting { seconds: 10 });
        let trouble = EndpointError::Strange(StatusCode::BAD_GATEWAY);
        assert_eq!(one.heard(trouble, now).unwrap(), DevicePoll::Waiting { seconds: 20 });
        assert_eq!(one.heard(said("expired_token"), now).unwrap(), DevicePoll::Expired);
        assert_eq!(login().heard(said("access_denied"), now).unwrap(), DevicePoll::Denied);
        for end in [said("invalid_grant"), EndpointError::Strange(StatusCode::OK)] {
            let mut one = login();
            assert!(matches!(one.heard(end, now), Err(FinishError::Redeem(_))));
            assert_eq!(one.until, now, "it is over");
        }
    }

    #[test]
    fn the_interval_grows_to_a_minute_and_survives_a_clock_set_back() {
        let mut one = login();
        for _ in 0..50 {
            one.heard(said("slow_down"), Timestamp(0)).expect("it waits");
        }
        assert_eq!(one.interval, LONGEST_INTERVAL);
        assert_eq!(one.seconds_left(Timestamp(i64::MIN)), LONGEST_INTERVAL);
        assert_eq!(one.seconds_left(Timestamp(i64::MAX)), 1);
    }
}
