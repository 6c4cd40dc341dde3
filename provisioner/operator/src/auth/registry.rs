//! Who asks the registry: `Basic` with a token as the password, as docker, skopeo and helm send it, or `Bearer`.

use axum::extract::Request;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cairn_identity::Secret;
use http::{HeaderMap, StatusCode, header};

use super::{
    Caller, credential,
    peer::{self, Peer},
};
use crate::{app::App, problem::Problem};

/// Longest `Authorization` that is read, in bytes.
const LONGEST: usize = 4096;

/// What a request carries of who asks.
pub(crate) struct Presented {
    peer: Peer,
    token: Option<Secret>,
}

impl Presented {
    pub(crate) fn of(request: &Request) -> Self {
        let headers = request.headers();
        let token = basic(headers).or_else(|| peer::bearer(headers));
        Self { peer: Peer::of(request.extensions()), token }
    }
}

/// `None`: nobody that is known; the registry then says how to say who one is.
pub(crate) async fn of_registry(app: &App, presented: Presented) -> Result<Option<Caller>, Problem> {
    let Some(token) = presented.token else { return Ok(None) };
    match credential::bearer(app, presented.peer, &token).await {
        Ok(caller) => Ok(Some(caller)),
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED.as_u16() => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// The password of RFC 7617.
fn basic(headers: &HeaderMap) -> Option<Secret> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok().filter(|v| v.len() <= LONGEST)?;
    let (scheme, coded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(coded.trim()).ok()?).ok()?;
    let (_, password) = pair.split_once(':')?;
    Some(Secret::from(password))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn password(value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().ok()?);
        basic(&headers).map(|s| s.expose().to_owned())
    }

    #[test]
    fn the_password_is_what_follows_the_first_colon() {
        assert_eq!(password(&format!("Basic {}", STANDARD.encode("me:a:b"))).as_deref(), Some("a:b"));
        assert_eq!(password(&format!("bAsIc {}", STANDARD.encode(":x"))).as_deref(), Some("x"));
        for other in ["Basic", "Basic %%%", "Bearer abc", &format!("Basic {}", STANDARD.encode("none"))] {
            assert_eq!(password(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_passed_over(value: String) {
            let _ = password(&value);
            let _ = password(&format!("Basic {value}"));
        }
    }
}
