//! `PUT /secrets/{key}/values`, `DELETE /secrets/{key}/values/{name}`: what only proven hosts get. There is no way back: no route
//! reads a value, and audit rows name keys only.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::{Path, Request, State},
    response::Response,
};
use cairn_domain::{
    audit::{Deed, Outcome},
    fact::plain,
    model::{Kind as Resource, Object, Verb},
};
use cairn_store::{SecretError, SecretText, SecretWrite};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::{
    app::App,
    auth::Caller,
    json::{self, MAX_JSON},
    path::Key,
    problem::{Kind, Problem, sentence},
    refusal::{self, Attempt},
    resources::{find, object_schema},
    respond,
    route::Route,
};

const JSON: &str = "application/json";

/// Values by key.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Values {
    /// Keys are of letters, digits, `.`, `-` and `_`; a value has 256 KiB at most.
    #[schemars(with = "BTreeMap<String, String>")]
    values: BTreeMap<String, Value>,
}

/// One value; in memory only.
struct Value(SecretText);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The message of a wrong type would hold the value.
        String::deserialize(deserializer)
            .map(|text| Self(text.into()))
            .map_err(|_| serde::de::Error::custom("a value is text"))
    }
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::put("/secrets/{key}/values", set)
            .tag("secrets")
            .summary("Set values of a secret: new ones, and others in the place of old ones")
            .takes::<Values>()
            .gives_as(
                200,
                "The secret; status.keys tells which values there are",
                Some((JSON, object_schema(Resource::Secret))),
            )
            .with("ETag"),
        Route::delete("/secrets/{key}/values/{name}", remove)
            .tag("secrets")
            .summary("Remove a value of a secret")
            .gives_as(
                200,
                "The secret; status.keys tells which values there are",
                Some((JSON, object_schema(Resource::Secret))),
            )
            .with("ETag"),
    ]
}

async fn set(
    State(app): State<App>,
    caller: Caller,
    Key(key): Key,
    request: Request,
) -> Result<Response, Problem> {
    let secret = secret(&app, &caller, ("secret.set", &key)).await?;
    json::object(request.headers(), &[JSON])?;
    let body = json::read(request.into_body(), MAX_JSON).await?;
    let Values { values } = json::parse(&body)?;
    if values.is_empty() {
        let next = "Send them as {\"values\": {\"KEY\": \"VALUE\"}}.";
        return Err(Problem::new(Kind::Invalid, "There is no value.", next).at("values"));
    }
    let change = Change { set: values.into_iter().map(|(k, v)| (k, v.0)).collect(), remove: Vec::new() };
    write(&app, &caller, &secret, change).await
}

async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path((key, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let secret = secret(&app, &caller, ("secret.remove", &key)).await?;
    if !has(&secret, &name) {
        let detail = format!("{secret} has no value {}.", plain(&name, 80));
        let next = format!("See which there are: cairn describe secret {}", secret.metadata.name);
        return Err(Problem::new(Kind::NotFound, detail, next));
    }
    write(&app, &caller, &secret, Change { set: BTreeMap::new(), remove: vec![name] }).await
}

fn has(secret: &Object, name: &str) -> bool {
    let keys = secret.status.as_ref().and_then(|s| s.get("keys")?.as_array().cloned());
    keys.is_some_and(|keys| keys.iter().any(|key| key.as_str() == Some(name)))
}

/// What becomes of the values.
struct Change {
    set: BTreeMap<String, SecretText>,
    remove: Vec<String>,
}

/// The secret, for whoever may set its values.
async fn secret(app: &App, caller: &Caller, (verb, key): (&str, &str)) -> Result<Arc<Object>, Problem> {
    let found = app.view(caller, |view| find::find_for(view, (Verb::Secret, Resource::Secret), key));
    match found {
        Ok(secret) => Ok(secret),
        Err(problem) => {
            let attempt = Attempt { verb, kind: Some(Resource::Secret), name: key };
            Err(refusal::note(app, caller, attempt, problem).await)
        }
    }
}

async fn write(app: &App, caller: &Caller, secret: &Object, change: Change) -> Result<Response, Problem> {
    let uid = secret.metadata.uid;
    let write = SecretWrite {
        owner: uid,
        at: app.auth.now(),
        deeds: vec![deed(caller, secret, &change)],
        set: change.set,
        remove: change.remove,
    };
    let revision = app.store.write_secrets(&write).await.map_err(|e| refused(&e, secret))?;
    app.catalog.reached(revision).await;
    let now = app.read(|index| index.get(uid).cloned()).ok_or_else(|| gone(secret))?;
    respond::object(&now, now.as_ref())
}

/// Names keys, never values.
fn deed(caller: &Caller, secret: &Object, change: &Change) -> Deed {
    let keys: Vec<&String> = change.set.keys().chain(&change.remove).collect();
    let (verb, keys) =
        (if change.set.is_empty() { "secret.remove" } else { "secret.set" }, json!({ "keys": keys }));
    let (before, after) = if change.set.is_empty() { (Some(keys), None) } else { (None, Some(keys)) };
    Deed {
        actor: caller.actor.clone(),
        verb: verb.to_owned(),
        kind: Some(Resource::Secret),
        uid: Some(secret.metadata.uid),
        namespace: secret.metadata.namespace.clone(),
        name: secret.metadata.name.clone(),
        outcome: Outcome::Done,
        reason: String::new(),
        before,
        after,
    }
}

fn gone(secret: &Object) -> Problem {
    let next = "See which there are: cairn get secrets";
    Problem::new(Kind::NotFound, format!("There is no {secret} any more."), next)
}

fn refused(error: &SecretError, secret: &Object) -> Problem {
    match error {
        SecretError::NotFound => gone(secret),
        SecretError::Invalid(why) => {
            let next = "Keys are of letters, digits, '.', '-' and '_'; values are text of 256 KiB at most.";
            Problem::new(Kind::Invalid, sentence(why), next).at("values")
        }
        SecretError::Seal(_) | SecretError::Read(_) | SecretError::Write(_) => Problem::internal(error),
    }
}
