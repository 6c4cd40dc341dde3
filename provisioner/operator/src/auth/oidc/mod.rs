//! Login at the organisation's own issuer. What is believed of it is `cairn-identity`'s affair; here are routes, the users that
//! it makes, and the logins under way, which are in this provisioner's memory only.

mod browser;
mod device;
mod person;

pub(super) use browser::{begin as begin_browser, callback};
pub(super) use device::{DevicePrompt, Waiting, begin as begin_device, poll as poll_device};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cairn_identity::{
    Pendings,
    oidc::{DeviceLogin, DiscoverError, FinishError, Pending, Provider},
};

use super::{guesses, peer::Peer};
use crate::{
    app::App,
    problem::{Kind, Problem, sentence},
};

/// Seconds that a browser may take.
const BROWSER_S: u32 = 600;
/// Seconds that a device may take; the issuer may say less.
const DEVICE_S: u32 = 3600;

/// Logins that have begun.
#[derive(Debug)]
pub(super) struct UnderWay {
    browsers: Mutex<Pendings<Pending>>,
    devices: Mutex<Pendings<Arc<tokio::sync::Mutex<DeviceLogin>>>>,
}

impl Default for UnderWay {
    fn default() -> Self {
        Self { browsers: Mutex::new(Pendings::new(BROWSER_S)), devices: Mutex::new(Pendings::new(DEVICE_S)) }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn provider(app: &App) -> Result<&Provider, Problem> {
    app.auth.settings.oidc.as_ref().ok_or_else(|| {
        let detail = "This site has no login by OpenID Connect.";
        Problem::new(Kind::NotFound, detail, "Log in with a name and a password.")
    })
}

fn unreachable(error: &DiscoverError) -> Problem {
    let next = "Try again in a moment, or log in with a name and a password.";
    Problem::new(Kind::Unavailable, sentence(&error.to_string()), next).after(5)
}

/// The login failed: noted, and told with what may be told.
async fn failed(app: &App, peer: Peer, error: &FinishError) -> Problem {
    let mut why = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(e) = cause {
        why = format!("{why}: {e}");
        cause = e.source();
    }
    guesses::refused(app, peer, None, &format!("OpenID Connect: {why}")).await;
    let next = "Start again; if it goes on, the administrator finds more in the audit log.";
    match error {
        FinishError::Discover(error) => unreachable(error),
        FinishError::Person(error) => Problem::new(
            Kind::Forbidden,
            sentence(&error.to_string()),
            "The administrator can mend that in [oidc] of cairn.toml.",
        ),
        _ => Problem::new(Kind::Unauthorized, sentence(&error.to_string()), next),
    }
}
