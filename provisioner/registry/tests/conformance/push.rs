//! Workflow "Push": `02_push_test.go`.

use http::StatusCode;
use serde_json::json;

use super::served::{IMAGE, Served, digest, header, image};

const NAME: &str = "conf/push";

#[tokio::test]
async fn push_01_a_streamed_patch_is_202() {
    let registry = Served::start().await;
    let place = registry.begin(NAME).await;
    let answer =
        registry.ask("PATCH", &place, &[("content-type", "application/octet-stream")], "blob a").await;
    assert_eq!((answer.status(), header(&answer, "range")), (StatusCode::ACCEPTED, "0-5".into()));
    assert!(!header(&answer, "location").is_empty());
}

#[tokio::test]
async fn push_02_put_with_the_digest_ends_a_streamed_upload_with_201() {
    let registry = Served::start().await;
    let place = registry.begin(NAME).await;
    let answer = registry.ask("PATCH", &place, &[], "blob a").await;
    let place = format!("{}?digest={}", header(&answer, "location"), digest(b"blob a"));
    let answer = registry.ask("PUT", &place, &[], "").await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let answer = registry.get(&header(&answer, "location")).await;
    assert_eq!(&answer.body()[..], b"blob a");
}

#[tokio::test]
async fn push_03_get_of_a_nonexistent_blob_is_404() {
    let registry = Served::start().await;
    let answer = registry.get(&format!("/v2/{NAME}/blobs/{}", digest(b"x"))).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn push_04_post_with_digest_and_blob_is_201_or_202() {
    let registry = Served::start().await;
    let path = format!("/v2/{NAME}/blobs/uploads/?digest={}", digest(b"config"));
    let answer = registry.ask("POST", &path, &[("content-type", "application/octet-stream")], "config").await;
    // 202 would mean that the one request is not taken; it is.
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert!(!header(&answer, "location").is_empty());
}

#[tokio::test]
async fn push_05_get_of_that_blob_is_200() {
    let registry = Served::start().await;
    let name = registry.push_blob(NAME, "config").await;
    assert_eq!(registry.get(&format!("/v2/{NAME}/blobs/{name}")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn push_06_post_gives_a_session() {
    let registry = Served::start().await;
    let answer = registry.ask("POST", &format!("/v2/{NAME}/blobs/uploads/"), &[], "").await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert!(header(&answer, "location").starts_with(&format!("/v2/{NAME}/blobs/uploads/")));
}

#[tokio::test]
async fn push_07_put_of_a_whole_blob_is_201() {
    let registry = Served::start().await;
    put_whole(&registry).await;
}

async fn put_whole(registry: &Served) -> String {
    let place = format!("{}?digest={}", registry.begin(NAME).await, digest(b"config"));
    let answer = registry.ask("PUT", &place, &[("content-type", "application/octet-stream")], "config").await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    header(&answer, "location")
}

#[tokio::test]
async fn push_08_get_of_that_blob_is_200() {
    let registry = Served::start().await;
    let place = put_whole(&registry).await;
    assert_eq!(&registry.get(&place).await.body()[..], b"config");
}

#[tokio::test]
async fn push_09_a_chunk_out_of_order_is_416() {
    let registry = Served::start().await;
    let place = registry.begin(NAME).await;
    let answer = registry.ask("PATCH", &place, &[("content-range", "3-5")], "b b").await;
    assert_eq!(answer.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header(&answer, "location"), place);
}

#[tokio::test]
async fn push_10_the_first_chunk_is_202() {
    let registry = Served::start().await;
    let place = registry.begin(NAME).await;
    let answer = registry.ask("PATCH", &place, &[("content-range", "0-2")], "blo").await;
    assert_eq!((answer.status(), header(&answer, "range")), (StatusCode::ACCEPTED, "0-2".into()));
}

#[tokio::test]
async fn push_11_a_chunk_sent_again_is_416() {
    let registry = Served::start().await;
    let place = registry.begin(NAME).await;
    for expect in [StatusCode::ACCEPTED, StatusCode::RANGE_NOT_SATISFIABLE] {
        let answer = registry.ask("PATCH", &place, &[("content-range", "0-2")], "blo").await;
        assert_eq!(answer.status(), expect);
    }
}

#[tokio::test]
async fn push_12_the_status_of_an_upload_is_204_with_its_range() {
    let registry = Served::start().await;
    let place = registry.begin(NAME).await;
    registry.ask("PATCH", &place, &[("content-range", "0-2")], "blo").await;
    let answer = registry.get(&place).await;
    assert_eq!((answer.status(), header(&answer, "range")), (StatusCode::NO_CONTENT, "0-2".into()));
    assert_eq!(header(&answer, "location"), place);
}

#[tokio::test]
async fn push_13_the_second_chunk_is_202() {
    let registry = Served::start().await;
    two_chunks(&registry).await;
}

async fn two_chunks(registry: &Served) -> String {
    let place = registry.begin(NAME).await;
    for (range, chunk) in [("0-2", "blo"), ("3-5", "b b")] {
        let answer = registry.ask("PATCH", &place, &[("content-range", range)], chunk).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
    }
    place
}

#[tokio::test]
async fn push_14_put_with_digest_ends_a_chunked_upload_with_201() {
    let registry = Served::start().await;
    let place = format!("{}?digest={}", two_chunks(&registry).await, digest(b"blob b"));
    let answer = registry.ask("PUT", &place, &[("content-length", "0")], "").await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(&registry.get(&header(&answer, "location")).await.body()[..], b"blob b");
}

#[tokio::test]
async fn push_15_put_with_the_final_chunk_is_201() {
    let registry = Served::start().await;
    let place = registry.begin(NAME).await;
    registry.ask("PATCH", &place, &[("content-range", "0-2")], "blo").await;
    let end = format!("{place}?digest={}", digest(b"blob b"));
    let answer = registry.ask("PUT", &end, &[("content-range", "3-5")], "b b").await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(&registry.get(&header(&answer, "location")).await.body()[..], b"blob b");
}

#[tokio::test]
async fn push_16_a_mount_from_another_repository_is_201() {
    let registry = Served::start().await;
    let name = registry.push_blob("conf/other", "blob").await;
    let answer = registry
        .ask("POST", &format!("/v2/{NAME}/blobs/uploads/?mount={name}&from=conf/other"), &[], "")
        .await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let place = header(&answer, "location");
    assert_eq!(place, format!("/v2/{NAME}/blobs/{name}"));
    assert_eq!(&registry.get(&place).await.body()[..], b"blob");
}

#[tokio::test]
async fn push_17_a_mount_of_a_nonexistent_blob_is_202() {
    let registry = Served::start().await;
    let name = digest(b"nobody has it");
    let answer = registry
        .ask("POST", &format!("/v2/{NAME}/blobs/uploads/?mount={name}&from=conf/other"), &[], "")
        .await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert!(header(&answer, "location").starts_with(&format!("/v2/{NAME}/blobs/uploads/")));
}

#[tokio::test]
async fn push_18_a_mount_without_from_is_202() {
    let registry = Served::start().await;
    let name = registry.push_blob("conf/other", "blob").await;
    let answer = registry.ask("POST", &format!("/v2/{NAME}/blobs/uploads/?mount={name}"), &[], "").await;
    // 201 would be automatic content discovery, which tells who has what; the specification leaves it open.
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn push_19_get_of_a_nonexistent_manifest_is_404() {
    let registry = Served::start().await;
    let answer = registry.get(&format!("/v2/{NAME}/manifests/.INVALID_MANIFEST_NAME")).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn push_20_put_of_a_manifest_is_201() {
    let registry = Served::start().await;
    let manifest = registry.push_image(NAME, "test0", "layer").await;
    for tag in ["test1", "test2", "test3"] {
        let answer = registry.put_manifest(NAME, tag, &image("{}", "layer", json!({}))).await;
        assert_eq!(
            (answer.status(), header(&answer, "docker-content-digest")),
            (StatusCode::CREATED, manifest.clone())
        );
        assert!(!header(&answer, "location").is_empty());
    }
}

#[tokio::test]
async fn push_21_put_of_an_artifact_without_layers_is_201() {
    let registry = Served::start().await;
    registry.push_blob(NAME, "{}").await;
    let more = json!({ "layers": [], "artifactType": "application/vnd.example" });
    let answer = registry.put_manifest(NAME, "empty", &image("{}", "", more)).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn push_22_get_of_a_manifest_by_digest_is_200() {
    let registry = Served::start().await;
    let manifest = registry.push_image(NAME, "test0", "layer").await;
    let answer =
        registry.ask("GET", &format!("/v2/{NAME}/manifests/{manifest}"), &[("accept", IMAGE)], "").await;
    assert_eq!((answer.status(), digest(answer.body())), (StatusCode::OK, manifest));
}
