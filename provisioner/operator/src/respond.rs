//! Answers that handlers share: JSON from bytes that were written once, resources with their ETag.

use axum::response::{IntoResponse, Response};
use cairn_domain::model::{Kind, Object};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::problem::Problem;

/// `200` with JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<Response, Problem> {
    let bytes = serde_json::to_vec(value).map_err(|e| Problem::internal(&e))?;
    let mut response = bytes.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// A resource with its ETag, and whatever stands beside it.
pub(crate) fn object(object: &Object, body: &impl Serialize) -> Result<Response, Problem> {
    let mut response = json(body)?;
    if let Ok(tag) = HeaderValue::from_str(&etag(object)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// `201` with its place.
pub(crate) fn created(mut response: Response, object: &Object) -> Response {
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(location) = HeaderValue::from_str(&location(object.kind(), object)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// `"123"`
pub(crate) fn etag(object: &Object) -> String {
    format!("\"{}\"", object.metadata.resource_version)
}

fn location(kind: Kind, object: &Object) -> String {
    format!("/api/v1/{}/{}", kind.plural(), object.metadata.uid)
}
