//! Reads request bodies and queries strictly: bounded, unknown fields refused by name.

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Query, Request},
};
use bytes::Bytes;
use http::{header, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::problem::{Kind, Problem};

/// Largest JSON body of the API, in bytes. A host's spec is far below.
pub const MAX_JSON: usize = 64 << 10;

/// A JSON body of at most [`MAX_JSON`] bytes.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .is_some_and(|v| v.split(';').next().unwrap_or_default().trim().ends_with("json"));
        if !is_json {
            let next = "Send it with Content-Type: application/json.";
            return Err(Problem::new(Kind::WrongType, "This path takes JSON.", next));
        }
        let bytes = read(request.into_body()).await?;
        // serde would also fill a struct from an array, by position.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(Problem::new(Kind::Invalid, "The body is no JSON object.", "Send an object: {...}"));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|e| refuse(&e.to_string()))
    }
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    let too_large =
        || Problem::new(Kind::TooLarge, format!("A JSON body may have {MAX_JSON} bytes."), "Send less.");
    match Limited::new(body, MAX_JSON).collect().await {
        Ok(all) => Ok(all.to_bytes()),
        Err(e) if e.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Problem::new(Kind::Invalid, "The body ended early.", "Send it again.")),
    }
}

/// The problem of a text that serde refused; names the field where serde did.
pub(crate) fn refuse(message: &str) -> Problem {
    let quoted = |prefix: &str| {
        message.strip_prefix(prefix).and_then(|rest| rest.split('`').next()).map(str::to_owned)
    };
    if let Some(field) = quoted("unknown field `") {
        let known = message.split_once("expected ").map_or("", |(_, known)| known);
        let known = known.split(" at line ").next().unwrap_or_default();
        let detail = format!("There is no field \"{field}\".");
        return Problem::new(Kind::UnknownField, detail, format!("Fields: {known}.")).at(field);
    }
    let problem = Problem::new(Kind::Invalid, format!("The JSON does not fit: {message}."), "Correct it.");
    match quoted("missing field `") {
        Some(field) => problem.at(field),
        None => problem,
    }
}

/// The query of a request; unknown keys are refused.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::<T>::try_from_uri(&parts.uri).map(|Query(q)| Self(q)).map_err(|e| {
            let cause = std::error::Error::source(&e).map(ToString::to_string).unwrap_or_default();
            // The path of the value stands before it.
            let known = cause.find("unknown field `").and_then(|at| cause.get(at..));
            match refuse(known.unwrap_or(&cause)) {
                p if p.field.is_some() => p,
                _ => Problem::new(Kind::Invalid, format!("The query does not fit: {cause}."), "Correct it."),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use cairn_domain::HostSpec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_message_becomes_a_problem(message: String) {
            prop_assert_eq!(refuse(&message).status, 422);
            prop_assert_eq!(refuse(&format!("unknown field `{message}")).status, 422);
        }

        /// A registration with bytes changed is read or refused, never a panic.
        #[test]
        fn any_body_is_read_or_refused(at in 0..SPEC.len(), byte: u8, cut in 0..SPEC.len()) {
            let mut bytes = SPEC.to_vec();
            bytes[at] = byte;
            bytes.truncate(bytes.len() - cut);
            if let Err(e) = serde_json::from_slice::<HostSpec>(&bytes) {
                prop_assert_eq!(refuse(&e.to_string()).status, 422);
            }
        }
    }

    const SPEC: &[u8] = br#"{"name":"web-1","serial":"S","macs":["52:54:00:12:34:56"],"disk":{"min_size":1,"transports":["nvme"]}}"#;

    #[test]
    fn an_unknown_field_is_named_with_those_that_exist() {
        let message = "unknown field `sn`, expected one of `name`, `serial` at line 1 column 5";
        let p = refuse(message);
        assert_eq!(p.field.as_deref(), Some("sn"));
        assert_eq!(p.next, "Fields: one of `name`, `serial`.");
        assert_eq!(p.status, 422);
    }
}
