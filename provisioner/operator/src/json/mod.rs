//! Reads request bodies and queries strictly: bounded, unknown fields and repeated keys refused by name.

mod refuse;
mod unique;

pub(crate) use refuse::refuse;
pub(crate) use unique::Unique;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Query, Request},
};
use bytes::Bytes;
use http::{HeaderMap, header, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::problem::{Kind, Problem};

/// Largest JSON body of the API, in bytes, where a path does not say otherwise.
pub const MAX_JSON: usize = 1 << 20;

/// A JSON body of at most [`MAX_JSON`] bytes.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        object(request.headers(), &["application/json"])?;
        let bytes = read(request.into_body(), MAX_JSON).await?;
        parse(&bytes).map(Self)
    }
}

/// Refuses a body that is not of one of these types.
pub(crate) fn object(headers: &HeaderMap, types: &[&str]) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default().trim();
    if types.iter().any(|t| t.eq_ignore_ascii_case(given)) {
        return Ok(());
    }
    let wanted = types.join(" or ");
    let next = format!("Send it with Content-Type: {wanted}.");
    Err(Problem::new(Kind::WrongType, format!("This path takes {wanted}."), next))
}

/// All of a body, of at most `limit` bytes.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    match Limited::new(body, limit).collect().await {
        Ok(all) => Ok(all.to_bytes()),
        Err(e) if e.is::<LengthLimitError>() => {
            Err(Problem::new(Kind::TooLarge, format!("The body may have {limit} bytes here."), "Send less."))
        }
        Err(_) => Err(Problem::new(Kind::Malformed, "The body ended early.", "Send it again.")),
    }
}

/// A JSON object, straight from its text. Repeated keys are refused where the type is a struct; for free values see
/// [`Unique`].
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde would also fill a struct from an array, by position.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::new(Kind::Malformed, "The body is no JSON object.", "Send an object: {...}"));
    }
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut text).map_err(|e| refuse(&e))?;
    let end = text.end().map_err(|e| malformed(&e));
    end.map(|()| value)
}

pub(super) fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(Kind::Malformed, format!("The JSON cannot be read: {error}."), "Correct it.")
}

/// The query of a request; unknown keys are refused.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::<T>::try_from_uri(&parts.uri).map(|Query(q)| Self(q)).map_err(|e| {
            let cause = std::error::Error::source(&e).map(ToString::to_string).unwrap_or_default();
            refuse::query(&cause)
        })
    }
}
