//! Idempotency keys: the same request again gets the answer that it got, and does nothing.
//!
//! An answer is kept right after the request was done; while it is under way, the same key is refused. Should the server end
//! between the two, the repeated request finds what it made by its name (409), or the host in its new state. Answers larger
//! than [`MOST`] are not kept: `apply` says the same when it is repeated. Secrets are said once, and never kept.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use cairn_contract::{Digest, Timestamp};
use cairn_store::{Answer, Batch, BatchError, Trail};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    auth::Caller,
    json,
    problem::{Kind, Problem},
};

/// The request header.
pub(crate) const KEY: &str = "Idempotency-Key";
/// Says that an answer is an old one.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Largest request that can have a key.
const MOST_TAKEN: usize = 10 << 20;
/// Largest answer that is kept.
const MOST: usize = 1 << 20;
/// How long answers are kept, in milliseconds.
const KEPT: i64 = 24 * 3600 * 1000;

/// Requests with a key that are under way.
#[derive(Debug, Default, Clone)]
pub(crate) struct UnderWay(Arc<Mutex<HashSet<(String, String)>>>);

/// Takes its request out when it is dropped.
struct Turn(UnderWay, (String, String));

impl UnderWay {
    fn begin(&self, what: (String, String)) -> Result<Turn, Problem> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.insert(what.clone()) { Ok(Turn(self.clone(), what)) } else { Err(answered()) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// An answer as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    body: String,
}

/// Middleware of every `POST` behind the gate.
pub(crate) async fn replay(
    State(app): State<App>,
    caller: Caller,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(key) = key(request.headers())? else { return Ok(next.run(request).await) };
    let principal = format!("{:?}/{}", caller.principal.kind, caller.principal.name);
    let (parts, body) = request.into_parts();
    let bytes = json::read(body, MOST_TAKEN).await?;
    let digest = digest(&parts, &bytes);
    let _turn = app.under_way.begin((principal.clone(), key.clone()))?;
    if let Some(old) = kept(&app, &principal, &key).await? {
        return again(&old, digest);
    }
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    if !response.status().is_success() {
        return Ok(response);
    }
    keep(
        &app,
        &caller,
        Answer { principal, key, request: digest, status: 0, response: String::new() },
        response,
    )
    .await
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(KEY) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(Some(text.to_owned()));
    }
    let detail = "An idempotency key has 1 to 128 visible characters.";
    Err(Problem::new(Kind::Invalid, detail, "Use a UUID.").at(KEY))
}

/// Of everything that makes it the same request.
fn digest(parts: &http::request::Parts, body: &Bytes) -> Digest {
    let mut all =
        format!("{} {}\n", parts.method, parts.uri.path_and_query().map_or("", |p| p.as_str())).into_bytes();
    all.extend_from_slice(body);
    Digest::of(&all)
}

async fn kept(app: &App, principal: &str, key: &str) -> Result<Option<Answer>, Problem> {
    app.store.answer(principal, key).await.map_err(|e| Problem::internal(&e))
}

fn again(old: &Answer, request: Digest) -> Result<Response, Problem> {
    if old.request != request {
        let detail = "This idempotency key was used for another request.";
        return Err(Problem::new(Kind::KeyReused, detail, "Use a new key for each request.").at(KEY));
    }
    let kept: Kept = serde_json::from_str(&old.response).map_err(|e| Problem::internal(&e))?;
    let status = StatusCode::from_u16(old.status).unwrap_or(StatusCode::OK);
    let is_empty = kept.body.is_empty();
    let mut response = (status, kept.body).into_response();
    let headers = response.headers_mut();
    if is_empty {
        headers.remove(header::CONTENT_TYPE);
    } else {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in [(header::LOCATION, kept.location), (header::ETAG, kept.etag)] {
        if let Some(value) = value.and_then(|v| HeaderValue::from_str(&v).ok()) {
            headers.insert(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

async fn keep(app: &App, caller: &Caller, frame: Answer, response: Response) -> Result<Response, Problem> {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.map_err(|e| Problem::internal(&e))?.to_bytes();
    let text = |name: HeaderName| parts.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    if bytes.len() <= MOST && parts.extensions.get::<Secret>().is_none() {
        let body = String::from_utf8_lossy(&bytes).into_owned();
        let kept = Kept { location: text(header::LOCATION), etag: text(header::ETAG), body };
        let response = serde_json::to_string(&kept).map_err(|e| Problem::internal(&e))?;
        let answer = Answer { status: parts.status.as_u16(), response, ..frame };
        // It was done: an answer that is not kept is no reason to say otherwise.
        if let Err(problem) = write(app, caller, answer).await {
            tracing::warn!(error = %problem.detail, "an answer is not kept for its idempotency key");
        }
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// In the extensions of a response that holds a secret: it is said once, and not kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Secret;

async fn write(app: &App, caller: &Caller, answer: Answer) -> Result<(), Problem> {
    let at = app.auth.now();
    let batch = Batch {
        actor: caller.actor.clone(),
        at,
        premise: None,
        writes: Vec::new(),
        credentials: Vec::new(),
        trail: Trail { deeds: Vec::new(), answer: Some(answer) },
    };
    match app.store.write(&batch).await {
        // The same request at the same moment: both did what was asked, and one answer is kept.
        Ok(_) | Err(BatchError::Answered) => {}
        Err(error) => return Err(Problem::internal(&error)),
    }
    if at.0 % 64 != 0 {
        return Ok(());
    }
    let before = Timestamp(at.0.saturating_sub(KEPT));
    app.store.forget_answers(before).await.map(|_| ()).map_err(|e| Problem::internal(&e))
}

/// The same request is being answered at this moment.
pub(crate) fn answered() -> Problem {
    let detail = "The same request is being answered at this moment.";
    Problem::new(Kind::Conflict, detail, "Send it again in a moment.").after(1)
}
