//! `POST /login`: a name and a password, or a one-time code with both, for a session.

use axum::{
    extract::{FromRequest, Request, State},
    response::Response,
};
use cairn_domain::model::{Kind as Resource, Namespace, Object, Spec};
use cairn_identity::{HashError, Phc, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::time::Instant;

use super::{
    caller::NOBODY,
    first, guesses,
    peer::{Client, Peer},
    session::{self, Opened},
};
use crate::{
    app::App,
    json::Json,
    problem::{Kind, Problem, sentence},
};

/// For whoever cannot log in; the same for users that do not exist.
const OTHER_PASSWORD: &str = "An administrator sets another one with: cairn passwd NAME; on the machine itself, root with: cairn admin code";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// One-time code of `cairn init` or `cairn admin code`: makes `user` an administrator with this password.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub(super) code: Option<Secret>,
    /// Name of the user.
    pub(super) user: String,
    #[schemars(with = "String")]
    pub(super) password: Secret,
}

/// How somebody can log in here.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Ways {
    /// By `POST /login`.
    password: bool,
    /// By `GET /login/oidc` in a browser, by `POST /login/device` elsewhere.
    oidc: bool,
}

/// `GET /login`: for login pages.
pub(crate) async fn ways(State(app): State<App>) -> axum::Json<Ways> {
    axum::Json(Ways { password: true, oidc: app.auth.settings.oidc.is_some() })
}

/// `POST /login`
pub(crate) async fn log_in(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let client = Client::of(request.headers(), request.uri())?;
    let peer = Peer::of(request.extensions());
    let Json(login) = Json::<Login>::from_request(request, &()).await?;
    guesses::allowed(&app, peer)?;
    let opened = match &login.code {
        Some(code) => first::log_in(&app, peer, &login, code).await?,
        None => by_password(&app, peer, &login).await?,
    };
    opened.answer(&app, client)
}

async fn by_password(app: &App, peer: Peer, login: &Login) -> Result<Opened, Problem> {
    let user =
        app.read(|index| index.named(Resource::User, &Namespace::Appliance, &login.user).map(Arc::clone));
    check_password(app, peer, (&login.user, user.as_deref()), &login.password).await?;
    let user = user.ok_or_else(|| super::nobody("The name or the password is wrong."))?;
    session::open(app, peer, (user.metadata.uid, &user.metadata.name)).await
}

/// Whether the password is the user's, in the same time for a user that does not exist, may not log in or has none.
///
/// # Errors
/// The problem to answer; the failure was counted and written to the audit log.
pub(crate) async fn check_password(
    app: &App,
    peer: Peer,
    (name, user): (&str, Option<&Object>),
    password: &Secret,
) -> Result<(), Problem> {
    app.auth
        .names()
        .ask(name, peer.ip(), Instant::now())
        .map_err(|seconds| guesses::too_many("Too many failed logins of this user.", seconds))?;
    let stored = app.store.password(user.map_or(NOBODY, |u| u.metadata.uid)).await;
    let stored = stored.map_err(|e| Problem::internal(&e))?.filter(|_| user.is_some_and(may_log_in));
    let phc = stored.and_then(|stored| Phc::parse(&stored.phc).ok());
    let is_right = app.auth.passwords.verify(password, phc.as_ref()).await.map_err(|e| hash_failed(&e))?;
    if !is_right {
        let mut problem = guesses::failed(app, peer, user, "the name or the password is wrong").await;
        OTHER_PASSWORD.clone_into(&mut problem.next);
        return Err(problem);
    }
    app.auth.names().succeeded(name, peer.ip(), Instant::now());
    Ok(())
}

fn may_log_in(user: &Object) -> bool {
    matches!(&user.spec, Spec::User(spec) if !spec.disabled)
}

/// A password that was not hashed.
pub(crate) fn hash_failed(error: &HashError) -> Problem {
    match error {
        HashError::Busy => {
            Problem::new(Kind::Unavailable, sentence(&error.to_string()), "Try again.").after(5)
        }
        HashError::Failed(_) | HashError::Ended(_) => Problem::internal(error),
    }
}
