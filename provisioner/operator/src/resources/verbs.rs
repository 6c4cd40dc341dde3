//! `GET`, `POST`, `PUT`, `PATCH`, `DELETE` of one resource.

use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use cairn_domain::{
    admit,
    model::{Kind, Manifest, Namespace, Object},
};
use cairn_store::{Run, Trail};
use http::{HeaderMap, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    affected::{self, Affected},
    find, merge,
    write::{self, Done, Frame},
};
use crate::{
    app::{App, View},
    auth::Caller,
    json::Unique,
    problem::{self, Problem},
    respond,
};

/// The query of every write.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WriteQuery {
    /// Check everything, write nothing.
    #[serde(default)]
    pub(crate) dry_run: Option<bool>,
}

/// The query of `POST`.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateQuery {
    /// Check everything, write nothing.
    #[serde(default)]
    dry_run: Option<bool>,
    /// Where it goes when the manifest does not say.
    namespace: Option<String>,
}

impl WriteQuery {
    pub(crate) fn run(&self) -> Run {
        run(self.dry_run)
    }
}

impl CreateQuery {
    pub(super) fn run(&self) -> Run {
        run(self.dry_run)
    }
}

pub(crate) fn run(dry: Option<bool>) -> Run {
    if dry == Some(true) { Run::Check } else { Run::Commit }
}

/// One request about one resource.
pub(super) struct Ask<'a> {
    pub(super) app: &'a App,
    pub(super) caller: &'a Caller,
    pub(super) kind: Kind,
    pub(super) run: Run,
}

/// A resource as it is given: what stands beside it is said once.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    object: &'a Object,
    #[serde(skip_serializing_if = "Option::is_none")]
    affected: Option<Affected>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

/// The namespace that a query names.
pub(crate) fn namespace(text: Option<&str>) -> Result<Option<Namespace>, Problem> {
    let parse = |text: &str| text.parse().map_err(|e| super::list::invalid("namespace", &e));
    text.map(parse).transpose()
}

impl Ask<'_> {
    pub(super) fn get(&self, key: &str) -> Result<Response, Problem> {
        let object = self.app.view(self.caller, |view| find::find(view, self.kind, key))?;
        respond::object(&object, object.as_ref())
    }

    pub(super) async fn create(&self, query: &CreateQuery, body: &Bytes) -> Result<Response, Problem> {
        let request = namespace(query.namespace.as_deref())?;
        let manifest = self.manifest(Unique::parse(body)?)?;
        let plan = |view: &View<'_>| write::create(view, &manifest, request.as_ref());
        let frame = self.frame();
        let done = frame.carry_out(plan).await?;
        let shown = self.shown(&done).await?;
        Ok(match (self.run, &done.after) {
            (Run::Commit, Some(object)) => respond::created(shown, object),
            (Run::Check | Run::Commit, _) => shown,
        })
    }

    pub(super) async fn replace(
        &self,
        key: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Response, Problem> {
        let manifest = self.manifest(Unique::parse(body)?)?;
        let frame = self.frame();
        let done = frame.carry_out(|view| {
            let current = self.current(view, key, headers)?;
            write::update(view, &current, &manifest)
        });
        self.shown(&done.await?).await
    }

    pub(super) async fn patch(
        &self,
        key: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Response, Problem> {
        let change = Unique::parse(body)?;
        let frame = self.frame();
        let done = frame.carry_out(|view| {
            let current = self.current(view, key, headers)?;
            let mut value = described(&current)?;
            merge::patch(&mut value, change.clone());
            write::update(view, &current, &self.manifest(value)?)
        });
        self.shown(&done.await?).await
    }

    pub(super) async fn delete(&self, key: &str, headers: &HeaderMap) -> Result<Response, Problem> {
        let frame = self.frame();
        let done = frame.carry_out(|view| {
            let current = self.current(view, key, headers)?;
            write::delete(view, &current)
        });
        let done = done.await?;
        match self.run {
            Run::Commit => Ok(StatusCode::NO_CONTENT.into_response()),
            Run::Check => self.shown(&done).await,
        }
    }

    fn frame(&self) -> Frame<'_> {
        Frame { app: self.app, caller: self.caller, run: self.run, trail: Trail::default() }
    }

    /// The resource as it is, if it is the version that the request is about.
    fn current(&self, view: &View<'_>, key: &str, headers: &HeaderMap) -> Result<Arc<Object>, Problem> {
        let object = find::find(view, self.kind, key)?;
        if_match(headers, &object).map(|()| object)
    }

    fn manifest(&self, value: Value) -> Result<Manifest, Problem> {
        let manifest = admit::manifest(&value).map_err(write::refused)?;
        if manifest.kind == self.kind {
            return Ok(manifest);
        }
        let detail = format!("This path takes a {}, not a {}.", self.kind, manifest.kind);
        let next = format!("Send it to /api/v1/{}.", manifest.kind.plural());
        Err(Problem::new(problem::Kind::Invalid, detail, next).at("kind"))
    }

    async fn shown(&self, done: &Done) -> Result<Response, Problem> {
        let Some(object) = done.after.as_ref().or(done.before.as_ref()) else {
            return Ok(StatusCode::NO_CONTENT.into_response());
        };
        let affected = match self.run {
            Run::Check => affected(self.app, done).await?,
            Run::Commit => None,
        };
        let secret = done.secret.as_ref().map(|s| s.expose());
        let mut response = respond::object(object, &Shown { object, affected, secret })?;
        if secret.is_some() {
            response.extensions_mut().insert(crate::replay::Secret);
        }
        Ok(response)
    }
}

/// What the hosts would feel of it.
pub(super) async fn affected(app: &App, done: &Done) -> Result<Option<Affected>, Problem> {
    let trees = app.read(|index| affected::trees(index, done.before.as_deref(), done.after.as_deref()));
    let Some(trees) = trees else { return Ok(None) };
    let defaults = Arc::clone(&app.defaults);
    let compared = tokio::task::spawn_blocking(move || trees.compare(&defaults)).await;
    compared.map(Some).map_err(|e| Problem::internal(&e))
}

/// A resource as somebody would describe it.
pub(super) fn described(object: &Object) -> Result<Value, Problem> {
    let mut value = serde_json::to_value(object).map_err(|e| Problem::internal(&e))?;
    if let Value::Object(map) = &mut value {
        map.remove("status");
    }
    Ok(value)
}

/// The manifest that describes a resource.
pub(crate) fn manifest_of(object: &Object) -> Result<Manifest, Problem> {
    admit::manifest(&described(object)?).map_err(write::refused)
}

/// RFC 9110 §13.1.1.
fn if_match(headers: &HeaderMap, object: &Object) -> Result<(), Problem> {
    let mut given = headers.get_all(header::IF_MATCH).iter().peekable();
    if given.peek().is_none() {
        return Ok(());
    }
    let now = respond::etag(object);
    let tags = given.filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).map(str::trim);
    for tag in tags {
        if tag == "*" || tag == now {
            return Ok(());
        }
    }
    let detail = format!("{object} is at {now} now: somebody changed it.");
    let next = "Read it again, and repeat your change on that.";
    Err(Problem::new(problem::Kind::Precondition, detail, next).at("If-Match"))
}
