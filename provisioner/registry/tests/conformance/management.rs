//! Workflow "Content Management": `04_management_test.go`.

use http::StatusCode;

use super::served::{Served, code, digest, json_of};

const NAME: &str = "conf/management";

async fn populated() -> (Served, String) {
    let registry = Served::start().await;
    let manifest = registry.push_image(NAME, "tagtest0", "layer").await;
    registry.push_image(NAME, "tagtest1", "layer").await;
    (registry, manifest)
}

async fn delete(registry: &Served, what: &str) -> StatusCode {
    registry.ask("DELETE", &format!("/v2/{NAME}/{what}"), &[], "").await.status()
}

#[tokio::test]
async fn management_01_delete_of_a_tag_is_202() {
    let (registry, manifest) = populated().await;
    assert_eq!(delete(&registry, "manifests/tagtest0").await, StatusCode::ACCEPTED);
    assert_eq!(registry.get(&format!("/v2/{NAME}/manifests/tagtest0")).await.status(), StatusCode::NOT_FOUND);
    // The manifest and its other tag stay.
    for reference in ["tagtest1", &manifest] {
        assert_eq!(registry.get(&format!("/v2/{NAME}/manifests/{reference}")).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn management_02_delete_of_a_manifest_is_202() {
    let (registry, manifest) = populated().await;
    assert_eq!(delete(&registry, &format!("manifests/{manifest}")).await, StatusCode::ACCEPTED);
    assert_eq!(delete(&registry, &format!("manifests/{manifest}")).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn management_03_get_of_a_deleted_manifest_is_404() {
    let (registry, manifest) = populated().await;
    delete(&registry, &format!("manifests/{manifest}")).await;
    for reference in ["tagtest0", "tagtest1", &manifest] {
        let answer = registry.get(&format!("/v2/{NAME}/manifests/{reference}")).await;
        assert_eq!((answer.status(), code(&answer)), (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN".into()));
    }
}

#[tokio::test]
async fn management_04_the_list_of_tags_shows_the_deletion() {
    let (registry, manifest) = populated().await;
    let tags = async |registry: &Served| {
        json_of(&registry.get(&format!("/v2/{NAME}/tags/list")).await)["tags"].clone()
    };
    assert_eq!(tags(&registry).await.as_array().unwrap().len(), 2);
    delete(&registry, "manifests/tagtest0").await;
    assert_eq!(tags(&registry).await, serde_json::json!(["tagtest1"]));
    delete(&registry, &format!("manifests/{manifest}")).await;
    assert_eq!(tags(&registry).await, serde_json::json!([]));
}

#[tokio::test]
async fn management_05_delete_of_a_blob_is_202() {
    let (registry, _) = populated().await;
    assert_eq!(delete(&registry, &format!("blobs/{}", digest(b"layer"))).await, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn management_06_get_of_a_deleted_blob_is_404() {
    let (registry, _) = populated().await;
    let blob = format!("blobs/{}", digest(b"layer"));
    delete(&registry, &blob).await;
    assert_eq!(registry.get(&format!("/v2/{NAME}/{blob}")).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(delete(&registry, &blob).await, StatusCode::NOT_FOUND);
}
