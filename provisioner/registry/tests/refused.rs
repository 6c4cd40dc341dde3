//! Bad input: each is refused with its code, nothing of it stays, and limits hold.

#![allow(clippy::unwrap_used, reason = "a test")]

mod served;

use std::time::Duration;

use cairn_registry::Limits;
use http::StatusCode;
use serde_json::json;
use served::{IMAGE, Served, code, digest, header, image, json_of, open};

#[tokio::test]
async fn a_manifest_needs_what_it_names() {
    let registry = Served::start().await;
    let answer = registry.put_manifest("a", "v1", &image("{}", "layer", json!({}))).await;
    assert_eq!((answer.status(), code(&answer)), (StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN".into()));
    registry.push_blob("a", "{}").await;
    registry.push_blob("a", "layer").await;
    let wrong_size = image("{}", "layer", json!({})).replace("\"size\":5", "\"size\":6");
    let answer = registry.put_manifest("a", "v1", &wrong_size).await;
    assert_eq!((answer.status(), code(&answer)), (StatusCode::BAD_REQUEST, "MANIFEST_INVALID".into()));
    let child = json!({ "mediaType": IMAGE, "digest": digest(b"no manifest"), "size": 1 });
    let index = json!({ "schemaVersion": 2, "mediaType": served::INDEX, "manifests": [child] }).to_string();
    let answer = registry.put_manifest("a", "v1", &index).await;
    assert_eq!((answer.status(), code(&answer)), (StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN".into()));
    // A layer that is fetched from elsewhere need not be here.
    let foreign = json!([{ "mediaType": "x", "digest": digest(b"elsewhere"), "size": 1, "urls": ["https://example.com"] }]);
    let answer = registry.put_manifest("a", "v1", &image("{}", "", json!({ "layers": foreign }))).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_manifest_is_what_it_is_called() {
    let registry = Served::start().await;
    registry.push_image("a", "v1", "layer").await;
    let manifest = image("{}", "layer", json!({}));
    let put = async |reference: &str, kind: &str, body: String| {
        let path = format!("/v2/a/manifests/{reference}");
        let answer = registry.ask("PUT", &path, &[("content-type", kind)], body).await;
        (answer.status(), code(&answer))
    };
    let bad = |code: &str| (StatusCode::BAD_REQUEST, code.to_owned());
    assert_eq!(put(&digest(b"x"), IMAGE, manifest.clone()).await, bad("DIGEST_INVALID"));
    let sha512 = format!("sha512:{}", "a".repeat(128));
    assert_eq!(put(&sha512, IMAGE, manifest.clone()).await, bad("DIGEST_INVALID"));
    assert_eq!(put("v2", served::INDEX, manifest.clone()).await, bad("MANIFEST_INVALID"));
    let schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    assert_eq!(put("v2", schema1, manifest.clone()).await, bad("MANIFEST_INVALID"));
    let large = (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID".to_owned());
    assert_eq!(put("v2", IMAGE, " ".repeat((4 << 20) + 1)).await, large);
    let tags = json_of(&registry.get("/v2/a/tags/list").await);
    assert_eq!(tags["tags"], json!(["v1"]));
}

#[tokio::test]
async fn a_chunk_is_as_long_as_it_says() {
    let registry = Served::start().await;
    let place = registry.begin("a").await;
    for (range, body) in [("0-9", "short"), ("0-1", "too long"), ("1-0", "x"), ("junk", "x")] {
        let answer = registry.ask("PATCH", &place, &[("content-range", range)], body).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{range}");
    }
    let answer = registry.ask("PATCH", &place, &[("content-range", "0-3")], "good").await;
    assert_eq!((answer.status(), header(&answer, "range")), (StatusCode::ACCEPTED, "0-3".into()));
    let end = format!("{place}?digest={}", digest(b"good"));
    assert_eq!(registry.ask("PUT", &place, &[], "").await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(registry.ask("PUT", &end, &[], "").await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn uploads_are_bounded_in_number_and_size() {
    let limits = Limits { uploads: 2, blob: 1000, ..Limits::default() };
    let registry = Served::with(open(), limits).await;
    let place = registry.begin("a").await;
    registry.begin("b").await;
    let answer = registry.ask("POST", "/v2/c/blobs/uploads/", &[], "").await;
    assert_eq!((answer.status(), code(&answer)), (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS".into()));
    assert_eq!(header(&answer, "retry-after"), "5");
    let answer = registry.ask("PATCH", &place, &[], "x".repeat(1001)).await;
    assert_eq!((answer.status(), code(&answer)), (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID".into()));
    // What was refused before a byte was read can go on.
    assert_eq!(registry.ask("PATCH", &place, &[], "x".repeat(1000)).await.status(), StatusCode::ACCEPTED);
    assert_eq!(registry.ask("DELETE", &place, &[], "").await.status(), StatusCode::NO_CONTENT);
    registry.begin("c").await;
}

#[tokio::test]
async fn stale_uploads_make_room() {
    let limits = Limits { uploads: 1, upload_expiry: Duration::ZERO, ..Limits::default() };
    let registry = Served::with(open(), limits).await;
    let stale = registry.begin("a").await;
    registry.begin("b").await;
    assert_eq!(registry.get(&stale).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn sha512_and_unknown_methods_are_refused_clearly() {
    let registry = Served::start().await;
    let answer = registry.get(&format!("/v2/a/blobs/sha512:{}", "a".repeat(128))).await;
    assert_eq!((answer.status(), code(&answer)), (StatusCode::BAD_REQUEST, "DIGEST_INVALID".into()));
    assert!(String::from_utf8_lossy(answer.body()).contains("sha512 are not kept here: push with sha256"));
    let answer = registry.ask("POST", "/v2/a/tags/list", &[], "").await;
    assert_eq!((answer.status(), code(&answer)), (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED".into()));
    for path in ["/v2/a/../b/tags/list", "/v2/A/tags/list", "/v2/a", "/v2/a/_blobs/tags/list"] {
        let answer = registry.get(path).await;
        assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
    }
}

#[tokio::test]
async fn lists_go_on_behind_their_link() {
    let registry = Served::start().await;
    let mut expected = Vec::new();
    for name in ["a", "a-b", "a/b", "a.c", "b"] {
        registry.push_image(name, "v1", "layer").await;
        expected.push(name.to_owned());
    }
    expected.sort();
    let (mut found, mut path) = (Vec::new(), "/v2/_catalog?n=2".to_owned());
    loop {
        let answer = registry.get(&path).await;
        let names = json_of(&answer)["repositories"].clone();
        found.extend(names.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()));
        let link = header(&answer, "link");
        let Some(next) = link.strip_prefix('<').and_then(|rest| rest.split('>').next()) else { break };
        path = next.to_owned();
    }
    assert_eq!(found, expected);
    assert_eq!(registry.get("/v2/_catalog?n=x").await.status(), StatusCode::BAD_REQUEST);
}
