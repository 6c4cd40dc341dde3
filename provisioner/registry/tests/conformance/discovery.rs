//! Workflow "Content Discovery": `03_discovery_test.go`.

use http::StatusCode;
use serde_json::{Value, json};

use super::served::{INDEX, Served, digest, header, image, json_of};

const NAME: &str = "conf/discovery";

async fn tagged() -> Served {
    let registry = Served::start().await;
    for tag in ["test0", "test1", "test2", "test3"] {
        registry.push_image(NAME, tag, "layer").await;
    }
    registry
}

async fn tags(registry: &Served, query: &str) -> Value {
    let answer = registry.get(&format!("/v2/{NAME}/tags/list{query}")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let list = json_of(&answer);
    assert_eq!(list["name"], NAME);
    list["tags"].clone()
}

#[tokio::test]
async fn discovery_01_the_list_of_tags_is_200() {
    assert_eq!(tags(&tagged().await, "").await, json!(["test0", "test1", "test2", "test3"]));
}

#[tokio::test]
async fn discovery_02_n_limits_the_tags() {
    let registry = tagged().await;
    assert_eq!(tags(&registry, "?n=2").await, json!(["test0", "test1"]));
    assert_eq!(tags(&registry, "?n=0").await, json!([]));
    let answer = registry.get(&format!("/v2/{NAME}/tags/list?n=2")).await;
    assert_eq!(header(&answer, "link"), format!("</v2/{NAME}/tags/list?n=2&last=test1>; rel=\"next\""));
}

#[tokio::test]
async fn discovery_03_last_sets_the_first_tag() {
    let registry = tagged().await;
    assert_eq!(tags(&registry, "?n=2&last=test1").await, json!(["test2", "test3"]));
    assert_eq!(tags(&registry, "?last=test3").await, json!([]));
}

/// A subject, two artifacts of type A by artifactType and by config, one of type B, an index, and one whose subject is
/// missing.
struct Referred {
    registry: Served,
    subject: String,
    missing: String,
    last: String,
}

fn of(subject: &str, size: usize, note: &str, more: Value) -> Value {
    let mut fields = json!({
        "subject": { "mediaType": super::served::IMAGE, "digest": subject, "size": size },
        "annotations": { "org.opencontainers.conformance.test": note },
    });
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fields
}

async fn referred() -> Referred {
    let registry = Served::start().await;
    registry.push_blob(NAME, "{}").await;
    registry.push_blob(NAME, "layer").await;
    let base = image("{}", "layer", json!({}));
    let subject = digest(base.as_bytes());
    let missing = digest(b"a manifest that is not here");
    let type_a = json!({ "mediaType": "application/vnd.nba.strawberry.jam.croissant", "digest": digest(b"{}"), "size": 2 });
    let by_config = image("{}", "layer", of(&subject, base.len(), "config", json!({ "config": type_a })));
    let typed = |note: &str, kind: &str, to: &str| {
        image("{}", "layer", of(to, base.len(), note, json!({ "artifactType": kind })))
    };
    let by_type = typed("type", "application/vnd.nba.strawberry.jam.croissant", &subject);
    let type_b = typed("b", "application/vnd.b", &subject);
    let dangling = typed("c", "application/vnd.c", &missing);
    let mut index = of(&subject, base.len(), "index", json!({ "artifactType": "application/vnd.index" }));
    index.as_object_mut().unwrap().extend(
        json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] }).as_object().unwrap().clone(),
    );
    for (manifest, to) in [(&by_config, &subject), (&by_type, &subject), (&index.to_string(), &subject)] {
        put(&registry, manifest, to).await;
    }
    let answer = registry.put_manifest(NAME, "subject", &base).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    put(&registry, &type_b, &subject).await;
    put(&registry, &dangling, &missing).await;
    Referred { registry, subject, missing, last: digest(dangling.as_bytes()) }
}

async fn put(registry: &Served, manifest: &str, subject: &str) {
    let answer = registry.put_manifest(NAME, &digest(manifest.as_bytes()), manifest).await;
    assert_eq!((answer.status(), header(&answer, "oci-subject")), (StatusCode::CREATED, subject.to_owned()));
}

async fn referrers(registry: &Served, subject: &str, query: &str) -> (Vec<Value>, String) {
    let answer = registry.get(&format!("/v2/{NAME}/referrers/{subject}{query}")).await;
    assert_eq!((answer.status(), header(&answer, "content-type")), (StatusCode::OK, INDEX.to_owned()));
    let index = json_of(&answer);
    assert_eq!(index["schemaVersion"], 2);
    (index["manifests"].as_array().unwrap().clone(), header(&answer, "oci-filters-applied"))
}

#[tokio::test]
async fn discovery_04_a_manifest_with_a_subject_is_answered_with_oci_subject() {
    // What `put` checks for each of them, also before the subject is there and when it never is.
    referred().await;
}

#[tokio::test]
async fn discovery_05_referrers_of_nothing_are_an_empty_200() {
    let (listed, _) = referrers(&Served::start().await, &digest(b"x"), "").await;
    assert!(listed.is_empty());
}

#[tokio::test]
async fn discovery_06_referrers_are_listed_with_their_annotations() {
    let Referred { registry, subject, .. } = referred().await;
    let (listed, _) = referrers(&registry, &subject, "").await;
    let mut notes: Vec<_> = listed
        .iter()
        .map(|d| d["annotations"]["org.opencontainers.conformance.test"].as_str().unwrap())
        .collect();
    notes.sort_unstable();
    assert_eq!(notes, ["b", "config", "index", "type"]);
    assert!(
        listed.iter().all(|d| d["size"].as_u64().is_some_and(|size| size > 0) && d["mediaType"].is_string())
    );
}

#[tokio::test]
async fn discovery_07_referrers_are_filtered_by_artifact_type() {
    let Referred { registry, subject, .. } = referred().await;
    let query = "?artifactType=application%2Fvnd.nba.strawberry.jam.croissant";
    let (listed, applied) = referrers(&registry, &subject, query).await;
    assert_eq!((listed.len(), applied.as_str()), (2, "artifactType"));
    assert!(listed.iter().all(|d| d["artifactType"] == "application/vnd.nba.strawberry.jam.croissant"));
}

#[tokio::test]
async fn discovery_08_referrers_of_a_missing_manifest_are_listed() {
    let Referred { registry, missing, last, .. } = referred().await;
    let (listed, _) = referrers(&registry, &missing, "").await;
    assert_eq!((listed.len(), listed[0]["digest"].as_str().unwrap()), (1, last.as_str()));
}
