//! The command line's way: a code that the person types in a browser somewhere, while the command asks again and again.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use cairn_domain::model::rfc3339;
use cairn_identity::{
    Token, TokenKind,
    oidc::{DeviceError, DevicePoll},
};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::{failed, lock, person, provider, unreachable};
use crate::{
    app::App,
    auth::peer::{Client, Peer},
    path::Key,
    problem::{Kind, Problem, sentence},
};

/// What the command shows, and by what it asks again.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DevicePrompt {
    /// Where the person goes.
    verification_uri: String,
    /// The same with the code in it, where the issuer has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_uri_complete: Option<String>,
    /// What the person types there.
    user_code: String,
    /// Seconds between two polls.
    interval: u32,
    /// RFC 3339; from then on it is void.
    expires: String,
    /// Names this login: `POST /login/device/{handle}`. Keep it secret.
    handle: String,
}

/// The person has not decided yet.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Waiting {
    /// Seconds until the next poll is heard.
    interval: u32,
}

/// `POST /login/device`
pub(in crate::auth) async fn begin(
    State(app): State<App>,
    peer: Peer,
) -> Result<axum::Json<DevicePrompt>, Problem> {
    let provider = provider(&app)?;
    let now = app.auth.now();
    let login = provider.begin_device(now).await.map_err(|error| refused(&error))?;
    let prompt = |handle: &Token| DevicePrompt {
        verification_uri: login.address.to_string(),
        verification_uri_complete: login.complete_address.as_ref().map(ToString::to_string),
        user_code: login.user_code.clone(),
        interval: login.interval,
        expires: rfc3339(login.until).unwrap_or_default(),
        handle: handle.expose().to_owned(),
    };
    let kept = Arc::new(tokio::sync::Mutex::new(login.clone()));
    let handle = lock(&app.auth.oidc.devices).put(kept, peer.ip(), now).map_err(|e| Problem::internal(&e))?;
    Ok(axum::Json(prompt(&handle)))
}

/// `POST /login/device/{handle}`: 202 while the person has not decided, then the session.
pub(in crate::auth) async fn poll(
    State(app): State<App>,
    peer: Peer,
    Key(handle): Key,
) -> Result<Response, Problem> {
    let over = |detail: &str| Problem::new(Kind::NotFound, detail, "Start again: cairn login URL --device");
    let unknown = || over("There is no such login under way.");
    let provider = provider(&app)?;
    let now = app.auth.now();
    let token = Token::parse(&handle).ok().filter(|t| t.kind() == TokenKind::Login).ok_or_else(unknown)?;
    let login = lock(&app.auth.oidc.devices).get_mut(&token, now).map(|login| Arc::clone(login));
    let login = login.ok_or_else(unknown)?;
    let polled = {
        // One poll at a time: another of the same login waits like one that came too early.
        let Ok(mut login) = login.try_lock() else { return Ok(waiting(1)) };
        provider.poll_device(&mut login, now).await
    };
    if let Ok(DevicePoll::Waiting { seconds }) = polled {
        return Ok(waiting(seconds));
    }
    if lock(&app.auth.oidc.devices).take(&token, now).is_none() {
        return Err(unknown());
    }
    match polled {
        Ok(DevicePoll::Done(person)) => {
            person::log_in(&app, peer, &person).await?.answer(&app, Client::Program)
        }
        Ok(DevicePoll::Denied) => {
            let next = "Start again: cairn login URL --device";
            Err(Problem::new(Kind::Forbidden, "The login was refused in the browser.", next))
        }
        Ok(DevicePoll::Expired | DevicePoll::Waiting { .. }) => Err(over("The login took too long.")),
        Err(error) => Err(failed(&app, peer, &error).await),
    }
}

fn waiting(interval: u32) -> Response {
    (StatusCode::ACCEPTED, axum::Json(Waiting { interval })).into_response()
}

fn refused(error: &DeviceError) -> Problem {
    match error {
        DeviceError::Discover(error) => unreachable(error),
        DeviceError::NotOffered => {
            Problem::new(Kind::NotFound, sentence(&error.to_string()), "Log in with a name and a password.")
        }
        DeviceError::Begin(_) | DeviceError::Strange => {
            let next = "The administrator can look at [oidc] of cairn.toml and at the issuer's own log.";
            Problem::new(Kind::Unavailable, sentence(&error.to_string()), next)
        }
    }
}
