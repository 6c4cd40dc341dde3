//! From what a request carries to who that is: session tokens, service tokens, the local operator token.
//!
//! ```text
//! cairn_se_... -> row of the session -> User of the index, not disabled      -> Caller
//! cairn_st_... -> row of the token   -> Token of the index, not run out      -> Caller
//! other text   -> SHA-256 is that of the local operator token; guesses count -> Caller
//! ```

use cairn_contract::{Digest, Timestamp};
use cairn_domain::{
    access::Principal,
    index::Index,
    model::{Spec, Uid},
};
use cairn_identity::{Secret, Token, TokenError, TokenKind};
use cairn_store::Session;

use super::{
    caller::{Caller, Credential, NOBODY},
    guesses, nobody,
    peer::Peer,
};
use crate::{app::App, problem::Problem};

/// A use is noted at most once in so many milliseconds.
const NOTED_MS: i64 = 60_000;

/// Who a bearer token is.
pub(super) async fn bearer(app: &App, peer: Peer, text: &Secret) -> Result<Caller, Problem> {
    match Token::parse(text.expose()) {
        Ok(token) => match token.kind() {
            TokenKind::Session => session(app, peer, &token).await,
            TokenKind::Service => service(app, peer, &token).await,
            TokenKind::Cluster => Err(nobody("This token is of a kubeconfig, and opens its cluster only.")),
            TokenKind::Login => Err(nobody("This is the handle of a login, and opens nothing else.")),
        },
        Err(TokenError::Prefix) => local(app, peer, text).await,
        Err(slip @ (TokenError::Form | TokenError::Checksum)) => {
            guesses::allowed(app, peer)?;
            Err(guesses::failed(app, peer, None, &slip.to_string()).await)
        }
    }
}

async fn local(app: &App, peer: Peer, text: &Secret) -> Result<Caller, Problem> {
    // Its 256 bits cannot be guessed: strangers behind one address must not shut out whoever has it.
    if app.auth.is_local_token(text) {
        return Ok(Caller::new(Principal::setup(), Credential::Local, peer));
    }
    guesses::allowed(app, peer)?;
    Err(guesses::failed(app, peer, None, "the token is not this site's").await)
}

/// Who is logged in with a session's token.
pub(super) async fn session(app: &App, peer: Peer, token: &Token) -> Result<Caller, Problem> {
    let ended = || nobody("The session has ended.");
    let sha256 = Digest(*token.hash().as_bytes());
    let row = app.store.session(&sha256).await.map_err(|e| Problem::internal(&e))?;
    let now = app.auth.now();
    let row = row.filter(|row| is_open(app, row, now)).ok_or_else(ended)?;
    let principal = holder(app, row.user).ok_or_else(ended)?;
    touch_session(app, &row, now).await;
    let credential = Credential::Session { sha256, user: row.user, until: row.expires };
    Ok(Caller::new(principal, credential, peer))
}

/// Whether a session is neither too old nor unused for too long.
pub(super) fn is_open(app: &App, row: &Session, now: Timestamp) -> bool {
    now < row.expires && now < row.last_seen.after_seconds(app.auth.settings.sessions.idle_s)
}

/// Notes that a session is used, now and then. A full disk ends no session before its time.
pub(super) async fn touch_session(app: &App, row: &Session, now: Timestamp) {
    let often = i64::from(app.auth.settings.sessions.idle_s).saturating_mul(250).min(NOTED_MS);
    if now.0.saturating_sub(row.last_seen.0) < often {
        return;
    }
    if let Err(error) = app.store.session_seen(&row.sha256, now).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "cannot note that a session is used");
    }
}

/// The one whose session it is, while that one may log in.
pub(super) fn holder(app: &App, user: Uid) -> Option<Principal> {
    if user == NOBODY {
        return app.auth.settings.local_token.map(|_| Principal::setup());
    }
    app.read(|index| match index.get(user).map(|o| (&o.spec, &o.metadata.name)) {
        Some((Spec::User(spec), name)) if !spec.disabled => Some(Principal::user(index, name.clone())),
        Some(_) | None => None,
    })
}

async fn service(app: &App, peer: Peer, token: &Token) -> Result<Caller, Problem> {
    let gone = || nobody("The token has run out or was revoked.");
    let sha256 = Digest(*token.hash().as_bytes());
    let row = app.store.service_token(&sha256).await.map_err(|e| Problem::internal(&e))?.ok_or_else(gone)?;
    let now = app.auth.now();
    let (name, until) = app.read(|index| bearer_of(index, row.uid)).ok_or_else(gone)?;
    if now >= until {
        return Err(gone());
    }
    if row.last_used.is_none_or(|last| now.0.saturating_sub(last.0) >= NOTED_MS)
        && let Err(error) = app.store.service_token_used(&sha256, now).await
    {
        tracing::warn!(error = &error as &dyn std::error::Error, "cannot note that a token is used");
    }
    Ok(Caller::new(Principal::token(name), Credential::Service { sha256, uid: row.uid, until }, peer))
}

/// Full name of a Token resource, and when it ends: by its spec, which may be changed.
fn bearer_of(index: &Index, uid: Uid) -> Option<(String, Timestamp)> {
    let object = index.get(uid)?;
    let Spec::Token(spec) = &object.spec else { return None };
    let until: jiff::Timestamp = spec.expires.parse().ok()?;
    Some((object.full_name(), Timestamp(until.as_millisecond())))
}

/// Whether a token is there and has not run out; by memory alone.
pub(super) fn is_in_force(app: &App, token: Uid) -> bool {
    let until = app.read(|index| bearer_of(index, token).map(|(_, until)| until));
    until.is_some_and(|until| app.auth.now() < until)
}

/// Whether a user may log in; by memory alone.
pub(super) fn is_welcome(app: &App, user: Uid) -> bool {
    if user == NOBODY {
        return app.auth.settings.local_token.is_some();
    }
    app.read(|index| matches!(index.get(user).map(|o| &o.spec), Some(Spec::User(spec)) if !spec.disabled))
}
