//! `POST /users/{key}/password`.

use std::sync::Arc;

use axum::extract::State;
use cairn_contract::Digest;
use cairn_domain::{
    access::{self, Decision, Place, PrincipalKind},
    audit::{Deed, Outcome},
    model::{Kind as Resource, Namespace, Object, Spec, Verb},
};
use cairn_identity::{Password, Secret};
use cairn_store::{Batch, CredentialWrite, Trail};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    app::App,
    auth::{Caller, check_password, hash_failed},
    json::Json,
    path::Key,
    problem::{Kind, Problem, sentence},
    refusal::{self, Attempt},
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// Needed for one's own.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    old: Option<Secret>,
    /// At least 12 characters, of any kind.
    #[schemars(with = "String")]
    new: Secret,
}

/// Whose password it is, for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Own,
    Anothers,
}

/// Sets it; all sessions of the user end but the one that asks.
pub(crate) async fn set(
    State(app): State<App>,
    caller: Caller,
    Key(key): Key,
    Json(wanted): Json<NewPassword>,
) -> Result<StatusCode, Problem> {
    let (user, whose) = match find(&app, &caller, &key) {
        Ok(found) => found,
        Err(problem) => {
            let attempt = Attempt { verb: "password.set", kind: Some(Resource::User), name: &key };
            return Err(refusal::note(&app, &caller, attempt, problem).await);
        }
    };
    if whose == Whose::Own {
        let old = wanted.old.as_ref().ok_or_else(|| {
            let detail = "Your own password is changed with the old one.";
            Problem::new(Kind::Invalid, detail, "Send it as \"old\".").at("old")
        })?;
        check_password(&app, caller.peer(), (&user.metadata.name, Some(&user)), old).await?;
    }
    let refused = |e: cairn_identity::PasswordError| {
        Problem::new(Kind::Invalid, sentence(&e.to_string()), "").at("new")
    };
    let password = Password::new(wanted.new).map_err(refused)?;
    let phc = app.auth.passwords.hash(&password).await.map_err(|e| hash_failed(&e))?;
    let at = app.auth.now();
    let password = cairn_store::Password { phc: phc.as_str().to_owned(), changed: at };
    let uid = user.metadata.uid;
    let batch = Batch {
        actor: caller.actor.clone(),
        at,
        // A password of a user who is deleted at this moment opens nothing.
        premise: None,
        writes: Vec::new(),
        credentials: vec![
            CredentialWrite::SetPassword { user: uid, password },
            CredentialWrite::EndSessions { user: uid },
        ],
        trail: Trail { deeds: vec![deed(&caller, &user)], answer: None },
    };
    let own = caller.session().filter(|_| whose == Whose::Own);
    write(&app, own, &batch).await
}

/// All sessions end with the write; the one that asked is then begun anew as it was. Were we to stop in between, the person
/// would log in with the new password.
async fn write(app: &App, own: Option<Digest>, batch: &Batch) -> Result<StatusCode, Problem> {
    let own = match own {
        Some(sha256) => app.store.session(&sha256).await.map_err(|e| Problem::internal(&e))?,
        None => None,
    };
    app.catalog.write(batch).await.map_err(|e| Problem::internal(&e))?;
    if let Some(own) = own {
        app.store.begin_session(&own, &[]).await.map_err(|e| Problem::internal(&e))?;
    }
    app.auth.tell_ended();
    Ok(StatusCode::NO_CONTENT)
}

fn find(app: &App, caller: &Caller, key: &str) -> Result<(Arc<Object>, Whose), Problem> {
    let index = app.catalog.index();
    let grants = access::grants(&index, &caller.principal);
    let sight = grants.over(&index);
    let own_name = (caller.principal.kind == PrincipalKind::User).then_some(caller.principal.name.as_str());
    let is_own = |o: &Object| Some(o.metadata.name.as_str()) == own_name;
    let seen = |o: &Object| is_own(o) || sight.sees(o);
    let user = index.find(Resource::User, key, &Namespace::Appliance, seen).map_err(|e| {
        Problem::new(Kind::NotFound, sentence(&e.to_string()), "See which there are: cairn get users")
    })?;
    let forbidden =
        |detail: String| Problem::new(Kind::Forbidden, detail, "Ask an administrator of this site.");
    let whose = if is_own(user) { Whose::Own } else { Whose::Anothers };
    if whose == Whose::Anothers {
        match sight.decide(Verb::Secret, Resource::User, Place::Of(user.metadata.uid)) {
            Decision::Allowed => {}
            Decision::Hidden | Decision::Forbidden => {
                return Err(forbidden("You need the right \"secret\" on this user.".to_owned()).denied());
            }
        }
        sight.outranks(user).map_err(|e| forbidden(sentence(&e.to_string())).denied())?;
    }
    match &user.spec {
        Spec::User(spec) if spec.oidc.is_some() => {
            let detail = "This user logs in with OpenID Connect and has no password here.";
            Err(Problem::new(Kind::Conflict, detail, "Change it at the organisation's own login."))
        }
        _ => Ok((Arc::clone(user), whose)),
    }
}

fn deed(caller: &Caller, user: &Object) -> Deed {
    Deed {
        actor: caller.actor.clone(),
        verb: "password.set".to_owned(),
        kind: Some(Resource::User),
        uid: Some(user.metadata.uid),
        namespace: Namespace::Appliance,
        name: user.metadata.name.clone(),
        outcome: Outcome::Done,
        reason: String::new(),
        before: None,
        after: None,
    }
}
