//! Who is let in, what a browser may do, and how much anybody may send.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{Full, StreamBody};
use hyper::body::Frame;
use serde_json::json;
use support::{Answer, Site, TOKEN, site, site_with};

fn full(text: &str) -> Full<Bytes> {
    Full::from(text.to_owned())
}

async fn with_token(site: &Site, token: &str) -> Answer {
    site.send("GET", "/api/v1/hosts", &[("authorization", &format!("Bearer {token}"))], full("")).await
}

#[tokio::test]
async fn only_the_token_lets_in_and_guessing_is_slowed_and_noted() {
    let site = site().await;
    let nobody = site.send("GET", "/api/v1/hosts", &[], full("")).await;
    assert_eq!((nobody.status.as_u16(), nobody.problem().as_str()), (401, "unauthorized"));
    assert!(nobody.headers.contains_key("www-authenticate"));
    for _ in 0..5 {
        assert_eq!(with_token(&site, "wrong").await.status, 401);
    }
    let blocked = with_token(&site, "wrong").await;
    assert_eq!((blocked.status.as_u16(), blocked.problem().as_str()), (429, "too-many"));
    assert!(blocked.headers.contains_key("retry-after"));
    assert_eq!(with_token(&site, TOKEN).await.status, 200, "a neighbour's guesses shut nobody out");
    let mut codes = Vec::new();
    for _ in 0..50 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let lines = site.store.site_timeline(0, 100).await.unwrap();
        assert!(lines.iter().all(|e| e.note.text.contains("192.0.2.7")));
        codes = lines.iter().map(|e| e.note.code.to_string()).collect();
        if codes.len() >= 2 {
            break;
        }
    }
    assert_eq!(codes, ["login.failed", "login.blocked"]);
}

#[tokio::test]
async fn a_browser_logs_in_and_changes_things_only_from_its_own_pages() {
    let site = site().await;
    let own = format!("https://{}", site.addr);
    let json = ("content-type", "application/json");
    let login = json!({"token": TOKEN}).to_string();
    let foreign =
        site.send("POST", "/api/v1/session", &[json, ("origin", "https://evil.example")], full(&login)).await;
    assert_eq!(foreign.problem(), "foreign-origin");
    let wrong =
        site.send("POST", "/api/v1/session", &[json, ("origin", &own)], full(r#"{"token":"x"}"#)).await;
    assert_eq!(wrong.status, 401);
    let done = site.send("POST", "/api/v1/session", &[json, ("origin", &own)], full(&login)).await;
    assert_eq!(done.status, 204, "{}", done.text);
    let set = done.headers["set-cookie"].to_str().unwrap().to_owned();
    for word in ["__Host-cairn=", "HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(set.contains(word), "{set}");
    }
    let cookie = ("cookie", set.split(';').next().unwrap());
    assert_eq!(site.send("GET", "/api/v1/hosts", &[cookie], full("")).await.status, 200);
    let spec = support::manifest("Host", ("", "web-1"), json!({"serial": "1"})).to_string();
    for origin in [None, Some("https://evil.example"), Some("null")] {
        let mut headers = vec![cookie, json];
        headers.extend(origin.map(|o| ("origin", o)));
        assert_eq!(
            site.send("POST", "/api/v1/hosts", &headers, full(&spec)).await.problem(),
            "foreign-origin"
        );
    }
    let made = site.send("POST", "/api/v1/hosts", &[cookie, json, ("origin", &own)], full(&spec)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(
        site.send("DELETE", "/api/v1/session", &[cookie, ("origin", &own)], full("")).await.status,
        204
    );
    assert_eq!(site.send("GET", "/api/v1/hosts", &[cookie], full("")).await.status, 401);
}

#[tokio::test]
async fn every_response_carries_the_security_headers() {
    let site = site().await;
    for path in
        ["/", "/assets/app.js", "/hosts/web-1", "/api/v1/hosts", "/api/v1/nothing", "/nothing", "/healthz"]
    {
        let answer = site.send("GET", path, &[], full("")).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
    }
}

#[tokio::test]
async fn the_console_needs_no_token_and_holds_no_data() {
    let site = site().await;
    let page = site.send("GET", "/hosts/web-1", &[], full("")).await;
    assert_eq!((page.status.as_u16(), page.headers["content-type"].to_str().unwrap()), (200, "text/html"));
    let again = [("if-none-match", page.headers["etag"].to_str().unwrap())];
    assert_eq!(site.send("GET", "/hosts/web-1", &again, full("")).await.status, 304);
    let script = site.send("GET", "/assets/app.js", &[], full("")).await;
    assert!(script.headers["content-type"].to_str().unwrap().contains("javascript"));
    for path in ["/assets/../Cargo.toml", "/assets/%2e%2e/Cargo.toml", "/assets/nothing.js"] {
        assert_eq!(site.send("GET", path, &[], full("")).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn bodies_have_limits_and_types() {
    let site = site().await;
    let big = json!({"x": "x".repeat(cairn_operator::MAX_JSON)});
    let answer = site.call("POST", "/api/v1/hosts", Some(big)).await;
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (413, "too-large"));
    let token = format!("Bearer {TOKEN}");
    let form = [("authorization", token.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(site.send("POST", "/api/v1/hosts", &form, full("name=a")).await.problem(), "wrong-type");
    let method = site.call("PUT", "/api/v1/hosts", None).await;
    assert_eq!(method.problem(), "wrong-method");
    assert_eq!(method.headers["allow"], "GET,HEAD,POST");
    assert_eq!(site.call("POST", "/api/v1/nothing", None).await.problem(), "not-found");
}

#[tokio::test]
async fn a_bundle_is_streamed_and_bounded() {
    let site = site_with(cairn_operator::Limits { upload_bytes: 1000, ..Default::default() }).await;
    let token = format!("Bearer {TOKEN}");
    let auth = [("authorization", token.as_str())];
    let added =
        site.send("POST", "/api/v1/bundles", &auth, full(&format!("bundle{}", "x".repeat(900)))).await;
    assert_eq!(added.json()["size"], 906, "{}", added.text);
    let wrong = site.send("POST", "/api/v1/bundles", &auth, full("something")).await;
    assert_eq!(wrong.problem(), "invalid");
    let announced = site.send("POST", "/api/v1/bundles", &auth, full(&"x".repeat(2000))).await;
    assert_eq!(announced.problem(), "too-large");
    // Without a Content-Length the bytes themselves are counted.
    let chunks =
        stream::iter((0..20).map(|_| Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b'b'; 100])))));
    let counted = site.send("POST", "/api/v1/bundles", &auth, StreamBody::new(chunks)).await;
    assert_eq!((counted.status.as_u16(), counted.problem().as_str()), (413, "too-large"));
    let nobody = site.send("POST", "/api/v1/bundles", &[], full("bundle")).await;
    assert_eq!(nobody.status, 401);
}

#[tokio::test]
async fn health_needs_no_token() {
    let site = site().await;
    assert_eq!(site.send("GET", "/healthz", &[], full("")).await.text, "ok\n");
    assert_eq!(site.send("GET", "/readyz", &[], full("")).await.text, "ready\n");
}

#[tokio::test]
async fn whoever_asks_too_much_waits_and_others_do_not() {
    let site = site_with(cairn_operator::Limits { rate: 1, burst: 3, ..Default::default() }).await;
    for _ in 0..3 {
        assert_eq!(site.get("/api/v1/sites").await.status, 200);
    }
    let slow = site.get("/api/v1/sites").await;
    assert_eq!((slow.status.as_u16(), slow.problem().as_str()), (429, "too-many"));
    assert_eq!(slow.headers["retry-after"], "1");
    assert_eq!(site.send("GET", "/healthz", &[], full("")).await.status, 200);
}
