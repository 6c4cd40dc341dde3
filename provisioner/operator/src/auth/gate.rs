//! Lets a request through: by bearer token, or by session cookie and, when it changes something, by Origin.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::Response,
};
use cairn_domain::{Fact, Level, Note, Subject};
use http::{HeaderMap, Uri, header};
use tokio::time::Instant;

use super::{caller::Caller, throttle};
use crate::{
    app::App,
    problem::{Kind, Problem},
};

/// `__Host-`: only over TLS, only from this very host, for all paths.
pub(super) const COOKIE: &str = "__Host-cairn";

/// Middleware before every handler that reads or changes anything.
pub(crate) async fn require(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let caller = Caller::setup(origin(&request));
    if let Some(token) = bearer(request.headers()) {
        check_token(&app, source(&request), token)?;
        request.extensions_mut().insert(caller);
        return Ok(next.run(request).await);
    }
    let Some(id) = cookie(request.headers()) else {
        return Err(nobody("No token was presented."));
    };
    if !app.auth.sessions().is_open(id, Instant::now()) {
        return Err(nobody("The session has ended."));
    }
    if !request.method().is_safe() {
        same_origin(request.headers(), request.uri())?;
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Checks a token; counts and notes failures.
pub(super) fn check_token(app: &App, source: IpAddr, token: &str) -> Result<(), Problem> {
    let now = Instant::now();
    if let Some(seconds) = app.auth.throttle().wait(source, now) {
        let next = format!("Wait {seconds} s.");
        return Err(
            Problem::new(Kind::TooMany, "Too many failed logins from this address.", next).after(seconds)
        );
    }
    if app.auth.is_token(token) {
        return Ok(());
    }
    let failures = app.auth.throttle().failed(source, now);
    note_failure(app, source, failures);
    Err(nobody("The token is not this site's."))
}

/// The first failure and the one that closes the door become lines of the site's timeline: no flood by guessing.
fn note_failure(app: &App, source: IpAddr, failures: u32) {
    let note = match failures {
        1 => Note::new(Level::Warn, "login.failed", format!("a login from {source} failed: wrong token")),
        throttle::ALLOWED => {
            let text = format!("{failures} logins from {source} failed; it is not heard for a minute");
            Note::new(Level::Bad, "login.blocked", text)
        }
        _ => return,
    };
    app.reporter.observe(Fact { subject: Subject::Site, event: None, note: Some(note) });
}

/// A browser says where a request comes from: only this site's own pages may change something (RFC 6454).
pub(super) fn same_origin(headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
    let origin =
        headers.get(header::ORIGIN).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("https://"));
    let host = uri.authority().map(http::uri::Authority::as_str);
    let host = host.or_else(|| headers.get(header::HOST).and_then(|v| v.to_str().ok()));
    match (origin, host) {
        (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host) => Ok(()),
        _ => {
            let detail = "A browser session changes things only from the console's own pages.";
            Err(Problem::new(
                Kind::ForeignOrigin,
                detail,
                "Open the console at the address that you log in to.",
            ))
        }
    }
}

pub(super) fn source(request: &Request) -> IpAddr {
    request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |s| s.0.ip())
}

/// Address and port of the peer, for the audit log.
fn origin(request: &Request) -> String {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|s| s.0.to_string()).unwrap_or_default()
}

/// The session id that the request carries.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    all.flat_map(|v| v.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn nobody(detail: &str) -> Problem {
    Problem::new(
        Kind::Unauthorized,
        detail,
        "The token is in client.json of the data folder: cairn console --token",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect()
    }

    #[test]
    fn only_the_own_origin_over_tls_may_change_something() {
        let uri = Uri::from_static("/api/v1/hosts");
        let check =
            |origin| same_origin(&headers(&[("host", "10.0.0.1:8443"), ("origin", origin)]), &uri).is_ok();
        assert!(check("https://10.0.0.1:8443"));
        for other in ["http://10.0.0.1:8443", "https://10.0.0.1", "https://10.0.0.1:8443.evil", "null", ""] {
            assert!(!check(other), "{other}");
        }
        assert!(same_origin(&headers(&[("host", "10.0.0.1:8443")]), &uri).is_err());
        let h2 = Uri::from_static("https://10.0.0.1:8443/api/v1/hosts");
        assert!(same_origin(&headers(&[("origin", "https://10.0.0.1:8443")]), &h2).is_ok());
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_passed_over(bytes: Vec<u8>, name in prop::sample::select(vec!["cookie", "origin", "host", "authorization"])) {
            let mut headers = HeaderMap::new();
            if let Ok(value) = http::HeaderValue::from_bytes(&bytes) {
                headers.insert(name, value);
            }
            let _ = (cookie(&headers), bearer(&headers));
            prop_assert!(same_origin(&headers, &Uri::from_static("/")).is_err());
        }
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        assert_eq!(cookie(&headers(&[("cookie", "a=b; __Host-cairn=abc; c=d")])), Some("abc"));
        assert_eq!(cookie(&headers(&[("cookie", "x__Host-cairn=abc; __Host-cairnx=1")])), None);
    }
}
