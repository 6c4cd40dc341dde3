//! Sessions: begun by a login, ended by a logout, by time, by a new password, and with the user.

use axum::{
    extract::{FromRequest, Request, State},
    response::{IntoResponse, Response},
};
use cairn_contract::{Digest, Timestamp};
use cairn_domain::{
    access::{self, Principal},
    audit::{Deed, Outcome},
    model::{Kind as Resource, Namespace, Uid, rfc3339},
};
use cairn_identity::{Secret, Token, TokenKind};
use cairn_store::Session;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    caller::{Caller, Credential, NOBODY, actor},
    cluster::cluster_of,
    guesses,
    peer::{COOKIE, Client, Peer, cookie, same_origin},
};
use crate::{
    app::App,
    json::Json,
    problem::{Kind, Problem},
};

/// Sessions of one user at once; one more ends the oldest.
const MOST: usize = 32;

/// A session that has just begun.
#[derive(Debug)]
pub(super) struct Opened {
    token: Token,
    expires: Timestamp,
    principal: Principal,
}

/// What a login is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginAnswer {
    /// For `Authorization: Bearer`. Absent for a browser, which gets a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// RFC 3339; it ends earlier when it is not used.
    expires: String,
    principal: Principal,
    /// What to know before going on, such as that nobody has given the user a role.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Begins a session of the user, and writes the login to the audit log with it.
pub(super) async fn open(app: &App, peer: Peer, (user, name): (Uid, &str)) -> Result<Opened, Problem> {
    let principal = app.read(|index| Principal::user(index, name));
    begin(app, peer, user, principal).await
}

async fn begin(app: &App, peer: Peer, user: Uid, principal: Principal) -> Result<Opened, Problem> {
    let internal = |e: &(dyn std::error::Error + 'static)| Problem::internal(e);
    let token = Token::random(TokenKind::Session).map_err(|e| internal(&e))?;
    let now = app.auth.now();
    let row = Session {
        sha256: Digest(*token.hash().as_bytes()),
        user,
        principal: serde_json::to_string(&principal).map_err(|e| internal(&e))?,
        created: now,
        expires: now.after_seconds(app.auth.settings.sessions.life_s),
        last_seen: now,
    };
    let deed = about(&principal, peer, user, "login");
    app.store.begin_session(&row, &[deed]).await.map_err(|e| Problem::internal(&e))?;
    end_oldest(app, user, now).await;
    Ok(Opened { token, expires: row.expires, principal })
}

/// Neither a broken script nor a browser that forgets its cookies fills the table.
async fn end_oldest(app: &App, user: Uid, now: Timestamp) {
    // The next login tries again, here and below.
    let _ = app.store.forget_sessions(now).await;
    let Ok(sessions) = app.store.sessions_of(user).await else { return };
    let logins: Vec<&Session> = sessions.iter().filter(|s| cluster_of(s).is_none()).collect();
    for old in logins.iter().skip(MOST) {
        let _ = app.store.end_session(&old.sha256, now, &[]).await;
    }
    if logins.len() > MOST {
        app.auth.tell_ended();
    }
}

fn about(principal: &Principal, peer: Peer, user: Uid, verb: &str) -> Deed {
    let is_user = user != NOBODY;
    Deed {
        actor: actor(principal, peer),
        verb: verb.to_owned(),
        kind: is_user.then_some(Resource::User),
        uid: is_user.then_some(user),
        namespace: Namespace::Appliance,
        name: principal.name.clone(),
        outcome: Outcome::Done,
        reason: String::new(),
        before: None,
        after: None,
    }
}

impl Opened {
    /// A browser gets a cookie that scripts cannot read, a program the token.
    pub(super) fn answer(self, app: &App, client: Client) -> Result<Response, Problem> {
        let token = (client == Client::Program).then(|| self.token.expose().to_owned());
        let note = advice(app, &self.principal);
        let (expires, principal) = (rfc3339(self.expires).unwrap_or_default(), self.principal.clone());
        let body = axum::Json(LoginAnswer { token, expires, principal, note });
        match client {
            Client::Program => Ok(body.into_response()),
            Client::Browser => Ok(([self.cookie(app)?], body).into_response()),
        }
    }

    pub(super) fn cookie(&self, app: &App) -> Result<(HeaderName, HeaderValue), Problem> {
        let seconds = app.auth.settings.sessions.life_s;
        set_cookie(&format!(
            "{COOKIE}={}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Strict",
            self.token.expose()
        ))
    }
}

/// A header that sets a cookie and is not logged.
pub(super) fn set_cookie(text: &str) -> Result<(HeaderName, HeaderValue), Problem> {
    let mut value = HeaderValue::from_str(text).map_err(|e| Problem::internal(&e))?;
    value.set_sensitive(true);
    Ok((header::SET_COOKIE, value))
}

/// Whom to ask, for somebody who may do nothing at all.
fn advice(app: &App, principal: &Principal) -> Option<String> {
    app.read(|index| {
        if !access::grants(index, principal).is_empty() {
            return None;
        }
        let whom = match super::people_in_charge(index).as_slice() {
            [] => "an administrator of this site".to_owned(),
            names => names.join(" or "),
        };
        Some(format!("You have no role yet, so there is nothing to see. Ask {whom} for one."))
    })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    /// The local operator token.
    #[schemars(with = "String")]
    token: Secret,
}

/// `POST /session {"token": ...}`: the local token for a cookie. Needs the Origin too, so that no site logs a browser in.
pub(crate) async fn exchange(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    same_origin(request.headers(), request.uri())?;
    let peer = Peer::of(request.extensions());
    let Json(exchange) = Json::<Exchange>::from_request(request, &()).await?;
    guesses::allowed(&app, peer)?;
    if !app.auth.is_local_token(&exchange.token) {
        return Err(guesses::failed(&app, peer, None, "the token is not this site's").await);
    }
    let opened = begin(&app, peer, NOBODY, Principal::setup()).await?;
    Ok((StatusCode::NO_CONTENT, [opened.cookie(&app)?]).into_response())
}

/// What is known of the caller's login.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionView {
    principal: Principal,
    /// RFC 3339; absent for the local operator token, which does not end.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// Seconds without a request after which it ends earlier; absent for tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_seconds: Option<u32>,
    /// As in the answer to the login.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// `GET /session`
pub(crate) async fn show(State(app): State<App>, caller: Caller) -> axum::Json<SessionView> {
    let (until, idle_seconds) = match caller.credential {
        Credential::Local => (None, None),
        Credential::Session { until, .. } => (Some(until), Some(app.auth.settings.sessions.idle_s)),
        Credential::Service { until, .. } | Credential::Cluster { until, .. } => (Some(until), None),
    };
    let (principal, expires) = (caller.principal, until.and_then(rfc3339));
    let note = advice(&app, &principal);
    axum::Json(SessionView { principal, expires, idle_seconds, note })
}

/// `DELETE /session`: 204. Tokens are no sessions, and stay.
pub(crate) async fn log_out(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match &caller.credential {
        Credential::Session { sha256, user, .. } => {
            let deed = about(&caller.principal, caller.peer, *user, "logout");
            let ended = app.store.end_session(sha256, app.auth.now(), &[deed]).await;
            ended.map_err(|e| Problem::internal(&e))?;
            app.auth.tell_ended();
        }
        Credential::Service { .. } | Credential::Cluster { .. } => {
            let next = "To make it void: cairn token revoke NAME";
            return Err(Problem::new(Kind::WrongState, "A service token is no session.", next));
        }
        Credential::Local => {}
    }
    if cookie(&headers, COOKIE).is_none() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let gone = set_cookie(&format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"))?;
    Ok((StatusCode::NO_CONTENT, [gone]).into_response())
}
