//! What a request says before anybody is known: from where it comes, which credentials it carries, whether it is a browser's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use cairn_identity::Secret;
use http::{Extensions, HeaderMap, Uri, header, request::Parts};

use crate::problem::{Kind, Problem};

/// `__Host-`: only over TLS, only from this very host, for all paths.
pub(super) const COOKIE: &str = "__Host-cairn";

/// From where a request comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(SocketAddr);

impl Peer {
    pub(super) fn of(extensions: &Extensions) -> Self {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Self(extensions.get::<ConnectInfo<SocketAddr>>().map_or(nowhere, |s| s.0))
    }

    pub(crate) fn ip(self) -> IpAddr {
        self.0.ip()
    }

    /// Address and port, for the audit log.
    pub(crate) fn origin(self) -> String {
        self.0.to_string()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self::of(&parts.extensions))
    }
}

/// Who speaks: pages of the console get a cookie that scripts cannot read, programs a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    Browser,
    Program,
}

impl Client {
    /// A browser names the page that a request comes from (the `Origin` of RFC 6454); it must be one of ours.
    pub(super) fn of(headers: &HeaderMap, uri: &Uri) -> Result<Self, Problem> {
        if headers.contains_key(header::ORIGIN) {
            return same_origin(headers, uri).map(|()| Self::Browser);
        }
        Ok(Self::Program)
    }
}

/// A browser says where a request comes from: only this site's own pages may change something (RFC 6454).
pub(super) fn same_origin(headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
    let origin =
        headers.get(header::ORIGIN).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("https://"));
    match (origin, host(headers, uri)) {
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

/// Host and port that the request was sent to.
pub(crate) fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let named = uri.authority().map(http::uri::Authority::as_str);
    named.or_else(|| headers.get(header::HOST).and_then(|v| v.to_str().ok()))
}

/// The value of a cookie that the request carries.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let found =
        all.flat_map(|v| v.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
    found.map(Secret::from)
}

pub(super) fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::from(token.trim()))
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
            let _ = (cookie(&headers, COOKIE), bearer(&headers));
            prop_assert!(same_origin(&headers, &Uri::from_static("/")).is_err());
        }
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let value = |text| cookie(&headers(&[("cookie", text)]), COOKIE).map(|s| s.expose().to_owned());
        assert_eq!(value("a=b; __Host-cairn=abc; c=d").as_deref(), Some("abc"));
        assert_eq!(value("x__Host-cairn=abc; __Host-cairnx=1"), None);
    }
}
