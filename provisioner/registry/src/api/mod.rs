//! Requests and answers: which may be made, by whom, and who carries them out. Rights are asked for before anything is
//! looked up, so an answer tells nothing of what one may not see.

mod blobs;
mod lists;
mod manifests;
mod receive;
mod uploads;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};

use crate::{
    Access, Action, Body, Registry, RepositoryName,
    digest::written,
    refusal::{Code, Refusal},
    route::{Place, Route},
};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

type Answer = Result<Response<Body>, Refusal>;

/// A request within a repository.
pub(crate) struct Call<'a> {
    registry: &'a Registry,
    access: &'a dyn Access,
    name: &'a RepositoryName,
    parts: &'a Parts,
}

impl Registry {
    /// Answers one request; its path begins with `/v2`. Never fails: what is wrong is said in the answer, in the
    /// specification's JSON. The request's body is read as far as it is needed, never into memory as a whole except for
    /// manifests, which are bounded.
    pub async fn handle<B>(&self, access: &dyn Access, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let (parts, body) = request.into_parts();
        let head = parts.method == Method::HEAD;
        let answer = self.answer(access, parts, body).await;
        let mut response = answer.unwrap_or_else(|refusal| {
            let mut response = refusal.response();
            if head {
                *response.body_mut() = Body::empty();
            }
            response
        });
        response.headers_mut().insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
        response
    }

    async fn answer<B>(&self, access: &dyn Access, parts: Parts, body: B) -> Answer
    where
        B: hyper::body::Body<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        match Route::of(parts.uri.path())? {
            Route::Base => {
                known(access)?;
                only(&parts.method, &[Method::GET, Method::HEAD])?;
                Ok(json_response("{}".into()))
            }
            Route::Catalog => {
                known(access)?;
                only(&parts.method, &[Method::GET])?;
                lists::catalog(self, access, &parts).await
            }
            Route::Within(name, place) => {
                permit(access, &name, action(&parts.method, &place)?)?;
                Call { registry: self, access, name: &name, parts: &parts }.carry_out(place, body).await
            }
        }
    }
}

impl Call<'_> {
    async fn carry_out<B>(&self, place: Place, body: B) -> Answer
    where
        B: hyper::body::Body<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        match (place, self.parts.method.as_str()) {
            (Place::Blob(digest), "DELETE") => self.delete_blob(digest).await,
            (Place::Blob(digest), _) => self.blob(digest).await,
            (Place::Uploads, _) => self.begin_upload(body).await,
            (Place::Upload(id), "PATCH") => self.continue_upload(&id, body).await,
            (Place::Upload(id), "PUT") => self.end_upload(&id, body).await,
            (Place::Upload(id), "DELETE") => self.cancel_upload(id).await,
            (Place::Upload(id), _) => self.upload_status(id).await,
            (Place::Manifest(reference), "PUT") => self.put_manifest(reference, body).await,
            (Place::Manifest(reference), "DELETE") => self.delete_manifest(reference).await,
            (Place::Manifest(reference), _) => self.manifest(reference).await,
            (Place::Tags, _) => self.tags().await,
            (Place::Referrers(subject), _) => self.referrers(subject).await,
        }
    }

    /// A parameter of the query.
    fn parameter(&self, name: &str) -> Option<String> {
        crate::query::parameter(self.parts.uri.query(), name)
    }

    /// A header that is text.
    fn header(&self, name: HeaderName) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }
}

/// What one must be allowed to for a method at a place; a method that the place does not know is refused.
fn action(method: &Method, place: &Place) -> Result<Action, Refusal> {
    let action = match (place, method.as_str()) {
        (Place::Blob(_) | Place::Manifest(_) | Place::Tags | Place::Referrers(_), "GET" | "HEAD") => {
            Action::Pull
        }
        (Place::Blob(_) | Place::Manifest(_), "DELETE") => Action::Delete,
        (Place::Manifest(_), "PUT") | (Place::Uploads, "POST") => Action::Push,
        (Place::Upload(_), "GET" | "HEAD" | "PATCH" | "PUT" | "DELETE") => Action::Push,
        _ => return Err(method_refused()),
    };
    Ok(action)
}

fn only(method: &Method, allowed: &[Method]) -> Result<(), Refusal> {
    if allowed.contains(method) { Ok(()) } else { Err(method_refused()) }
}

fn method_refused() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported, "this cannot be done here")
}

/// Whether one may: who is not known is asked who they are; who may not look is told what they would be told of nothing.
fn permit(access: &dyn Access, name: &RepositoryName, action: Action) -> Result<(), Refusal> {
    if access.may(name, action) {
        return Ok(());
    }
    if let Some(refusal) = challenged(access, Some((name, action))) {
        return Err(refusal);
    }
    if access.may(name, Action::Pull) {
        let message = "you may read this repository, and not do that: ask its owner for the right";
        return Err(Refusal::new(StatusCode::FORBIDDEN, Code::Denied, message));
    }
    Err(Refusal::absent(Code::NameUnknown, "there is no such repository, or you may not see it"))
}

fn known(access: &dyn Access) -> Result<(), Refusal> {
    challenged(access, None).map_or(Ok(()), Err)
}

fn challenged(access: &dyn Access, wanted: Option<(&RepositoryName, Action)>) -> Option<Refusal> {
    let challenge = access.challenge()?;
    let refusal = Refusal::new(StatusCode::UNAUTHORIZED, Code::Unauthorized, "log in first");
    Some(match challenge.header(wanted) {
        Some(value) => refusal.with(header::WWW_AUTHENTICATE, value),
        None => refusal,
    })
}

fn json_response(text: String) -> Response<Body> {
    let mut response = Response::new(Body::memory(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer without a body.
fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Sets a header of our own making: digests, paths of parsed names, numbers.
fn set(response: &mut Response<Body>, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

/// 201 for content that is here now.
fn created(
    name: &RepositoryName,
    kind: &str,
    reference: &str,
    digest: &cairn_contract::Digest,
) -> Response<Body> {
    let mut response = status(StatusCode::CREATED);
    set(&mut response, header::LOCATION, format!("/v2/{name}/{kind}/{reference}"));
    set(&mut response, CONTENT_DIGEST, written(digest));
    response
}
