//! What is pushed in each of the ways can be pulled, whole and in parts; what is wrong is refused and leaves nothing.

#![allow(clippy::unwrap_used, reason = "a test")]

mod served;

use http::StatusCode;
use served::{Served, code, digest, header, json_of};

#[tokio::test]
async fn an_image_goes_in_and_out() {
    let registry = Served::start().await;
    let manifest = registry.push_image("a/b", "v1", "layer").await;
    let answer = registry.get("/v2/a/b/manifests/v1").await;
    assert_eq!((answer.status(), header(&answer, "docker-content-digest")), (StatusCode::OK, manifest));
    let answer = registry.get(&format!("/v2/a/b/blobs/{}", digest(b"layer"))).await;
    assert_eq!(&answer.body()[..], b"layer");
    assert_eq!(json_of(&registry.get("/v2/_catalog").await)["repositories"][0], "a/b");
}

#[tokio::test]
async fn a_large_blob_comes_back_as_it_was_in_any_part() {
    let registry = Served::start().await;
    let content: Vec<u8> = (0..5_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let name = registry.push_blob("big", content.clone()).await;
    let path = format!("/v2/big/blobs/{name}");
    assert!(registry.get(&path).await.body()[..] == content[..]);
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=1000000-2999999", 1_000_000, 2_999_999),
        ("bytes=-5", 19_999_995, 19_999_999),
    ] {
        let answer = registry.ask("GET", &path, &[("range", range)], "").await;
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(header(&answer, "content-range"), format!("bytes {first}-{last}/20000000"));
        assert!(answer.body()[..] == content[first..=last]);
    }
    let answer = registry.ask("GET", &path, &[("range", "bytes=20000000-")], "").await;
    assert_eq!(
        (answer.status(), header(&answer, "content-range")),
        (StatusCode::RANGE_NOT_SATISFIABLE, "bytes */20000000".into())
    );
}

#[tokio::test]
async fn wrong_bytes_are_refused_and_leave_nothing() {
    let registry = Served::start().await;
    let place = registry.begin("a").await;
    let wrong = digest(b"right");
    let answer = registry.ask("PUT", &format!("{place}?digest={wrong}"), &[], "wrong").await;
    assert_eq!((answer.status(), code(&answer)), (StatusCode::BAD_REQUEST, "DIGEST_INVALID".into()));
    assert_eq!(registry.get(&place).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(registry.get(&format!("/v2/a/blobs/{wrong}")).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(std::fs::read_dir(registry.path().join("registry/uploads")).unwrap().count(), 0);
}
