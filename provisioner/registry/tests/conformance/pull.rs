//! Workflow "Pull": `01_pull_test.go`.

use http::StatusCode;

use super::served::{IMAGE, Served, code, digest, header};

async fn populated() -> (Served, String) {
    let registry = Served::start().await;
    let manifest = registry.push_image("conf/pull", "tagtest0", "layer").await;
    (registry, manifest)
}

fn absent() -> String {
    digest(b"nobody has ever pushed this")
}

#[tokio::test]
async fn pull_01_head_of_a_nonexistent_blob_is_404() {
    let (registry, _) = populated().await;
    let answer = registry.ask("HEAD", &format!("/v2/conf/pull/blobs/{}", absent()), &[], "").await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn pull_02_head_of_a_blob_is_200_with_its_digest_and_length() {
    let (registry, _) = populated().await;
    let name = digest(b"layer");
    let answer = registry.ask("HEAD", &format!("/v2/conf/pull/blobs/{name}"), &[], "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(header(&answer, "docker-content-digest"), name);
    assert_eq!(header(&answer, "content-length"), "5");
}

#[tokio::test]
async fn pull_03_get_of_a_nonexistent_blob_is_404() {
    let (registry, _) = populated().await;
    let answer = registry.get(&format!("/v2/conf/pull/blobs/{}", absent())).await;
    assert_eq!((answer.status(), code(&answer)), (StatusCode::NOT_FOUND, "BLOB_UNKNOWN".into()));
}

#[tokio::test]
async fn pull_04_get_of_a_blob_is_200_with_its_bytes() {
    let (registry, _) = populated().await;
    let answer = registry.get(&format!("/v2/conf/pull/blobs/{}", digest(b"layer"))).await;
    assert_eq!((answer.status(), &answer.body()[..]), (StatusCode::OK, &b"layer"[..]));
}

#[tokio::test]
async fn pull_05_head_of_a_nonexistent_manifest_is_404() {
    let (registry, _) = populated().await;
    for reference in [".INVALID_MANIFEST_NAME", "unknown", &absent()] {
        let answer = registry.ask("HEAD", &format!("/v2/conf/pull/manifests/{reference}"), &[], "").await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{reference}");
    }
}

#[tokio::test]
async fn pull_06_head_of_a_manifest_by_digest_is_200() {
    let (registry, manifest) = populated().await;
    head_is_200(&registry, &manifest, &manifest).await;
}

#[tokio::test]
async fn pull_07_head_of_a_manifest_by_tag_is_200() {
    let (registry, manifest) = populated().await;
    head_is_200(&registry, "tagtest0", &manifest).await;
}

async fn head_is_200(registry: &Served, reference: &str, manifest: &str) {
    let path = format!("/v2/conf/pull/manifests/{reference}");
    let answer = registry.ask("HEAD", &path, &[("accept", IMAGE)], "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(header(&answer, "docker-content-digest"), manifest);
    assert_eq!(header(&answer, "content-type"), IMAGE);
}

#[tokio::test]
async fn pull_08_get_of_a_nonexistent_manifest_is_404() {
    let (registry, _) = populated().await;
    let answer = registry.get("/v2/conf/pull/manifests/.INVALID_MANIFEST_NAME").await;
    assert_eq!((answer.status(), code(&answer)), (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN".into()));
}

#[tokio::test]
async fn pull_09_get_of_a_manifest_by_digest_is_200() {
    let (registry, manifest) = populated().await;
    let answer =
        registry.ask("GET", &format!("/v2/conf/pull/manifests/{manifest}"), &[("accept", IMAGE)], "").await;
    assert_eq!((answer.status(), digest(answer.body())), (StatusCode::OK, manifest));
}

#[tokio::test]
async fn pull_10_get_of_a_manifest_by_tag_is_200() {
    let (registry, manifest) = populated().await;
    let answer = registry.ask("GET", "/v2/conf/pull/manifests/tagtest0", &[("accept", IMAGE)], "").await;
    assert_eq!((answer.status(), digest(answer.body())), (StatusCode::OK, manifest));
}

#[tokio::test]
async fn pull_11_a_400_has_the_specs_json() {
    let (registry, _) = populated().await;
    let path = "/v2/conf/pull/manifests/sha256:totallywrong";
    let answer = registry.ask("PUT", path, &[("content-type", IMAGE)], "blablabla").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(header(&answer, "content-type"), "application/json");
    assert_eq!(code(&answer), "DIGEST_INVALID");
    let answer = registry.put_manifest("conf/pull", "x", "blablabla").await;
    assert_eq!((answer.status(), code(&answer)), (StatusCode::BAD_REQUEST, "MANIFEST_INVALID".into()));
}
