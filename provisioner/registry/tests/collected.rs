//! What nothing uses is collected, what anything uses stays: also what the artifact store has, beside pushes, and across
//! provisioners that share a folder.

#![allow(clippy::unwrap_used, reason = "a test")]

mod served;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use cairn_contract::Digest;
use cairn_registry::{Collected, Limits, Registry};
use cairn_store::Store;
use http::StatusCode;
use serde_json::json;
use served::{Served, digest, image, open};

const GRACE: Duration = Duration::from_secs(3600);

/// The machine's clock; tests may read it.
#[allow(clippy::disallowed_methods, reason = "files have the time of the machine")]
fn later() -> SystemTime {
    SystemTime::now() + 2 * GRACE
}

async fn collect(registry: &Registry) -> Collected {
    registry.collect(later(), GRACE).await.unwrap()
}

fn shared(folder: &Path, content: &[u8]) -> PathBuf {
    let name = Digest::of(content).to_string();
    folder.join("sha256").join(&name[..2]).join(&name)
}

#[tokio::test]
async fn only_what_no_manifest_reaches_goes() {
    let served = Served::start().await;
    let manifest = served.push_image("a", "v1", "layer").await;
    served.push_image("b/c", "v1", "layer").await;
    let orphan = served.push_blob("a", "an orphan").await;
    assert_eq!(collect(&served.registry).await.blobs, 1);
    assert_eq!(served.get(&format!("/v2/a/blobs/{orphan}")).await.status(), StatusCode::NOT_FOUND);
    assert!(!shared(served.path(), b"an orphan").exists());
    for layer in [digest(b"layer"), digest(b"{}")] {
        assert_eq!(served.get(&format!("/v2/a/blobs/{layer}")).await.status(), StatusCode::OK);
    }
    served.ask("DELETE", &format!("/v2/a/manifests/{manifest}"), &[], "").await;
    assert_eq!(collect(&served.registry).await.blobs, 2);
    // The other repository has the same content under its own name.
    let answer = served.get(&format!("/v2/b/c/blobs/{}", digest(b"layer"))).await;
    assert_eq!(&answer.body()[..], b"layer");
    served.ask("DELETE", &format!("/v2/b/c/manifests/{manifest}"), &[], "").await;
    let last = collect(&served.registry).await;
    assert_eq!((last.blobs, last.bytes), (2, 7));
    for content in [&b"layer"[..], b"{}"] {
        assert!(!shared(served.path(), content).exists());
    }
    assert_eq!(fs::read_dir(served.path().join("registry/repositories")).unwrap().count(), 0);
}

#[tokio::test]
async fn what_is_young_or_asked_about_stays() {
    let served = Served::start().await;
    let blob = served.push_blob("a", "pushed before its manifest").await;
    let now = later() - 2 * GRACE;
    assert_eq!(served.registry.collect(now, GRACE).await.unwrap(), Collected::default());
    // Asked about half a grace later: counted from then on.
    let path = served.path().join("registry/repositories/a/_blobs").join(&blob[7..]);
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    fs::File::open(&path).unwrap().set_modified(before - GRACE).unwrap();
    assert_eq!(served.ask("HEAD", &format!("/v2/a/blobs/{blob}"), &[], "").await.status(), StatusCode::OK);
    assert_eq!(served.registry.collect(now + GRACE / 2, GRACE).await.unwrap().blobs, 0);
    assert_eq!(collect(&served.registry).await.blobs, 1);
}

#[tokio::test]
async fn the_artifact_stores_blobs_are_shared_and_never_touched() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let artifact = |content: &[u8]| {
        let mut writer = store.blobs().writer().unwrap();
        writer.write_all(content).unwrap();
        writer.finish().unwrap().0
    };
    let first = artifact(b"an artifact, then a layer");
    let served = Served::over(&folder.path().join("blobs"), open(), Limits::default()).await;
    served.push_blob("a", "an artifact, then a layer").await;
    served.push_blob("a", "a layer, then an artifact").await;
    served.push_blob("a", "a layer only").await;
    // Pushed content can be had as an artifact.
    let layer = Digest::of(b"a layer only");
    assert_eq!(store.blobs().open(&layer).unwrap().unwrap().1, 12);
    let second = artifact(b"a layer, then an artifact");
    assert_eq!(collect(&served.registry).await.blobs, 3);
    for kept in [first, second] {
        assert_eq!(store.blobs().open(&kept).unwrap().unwrap().1, 25);
    }
    assert!(store.blobs().open(&layer).unwrap().is_none());
    // And what the store deletes stays in the repositories that have it.
    let blob = served.push_blob("a", "an artifact, then a layer").await;
    store.blobs().delete(&first).unwrap();
    assert_eq!(served.get(&format!("/v2/a/blobs/{blob}")).await.body().len(), 25);
}

#[tokio::test]
async fn equal_content_is_stored_once() {
    let served = Served::start().await;
    let content = "x".repeat(1 << 20);
    served.push_blob("a", content.clone()).await;
    let blob = served.push_blob("b", content.clone()).await;
    let mount = format!("/v2/c/blobs/uploads/?mount={blob}&from=a");
    assert_eq!(served.ask("POST", &mount, &[], "").await.status(), StatusCode::CREATED);
    use std::os::unix::fs::MetadataExt as _;
    let links = fs::metadata(shared(served.path(), content.as_bytes())).unwrap().nlink();
    assert_eq!(links, 5, "three repositories, the shared name and its mark");
}

#[tokio::test]
async fn a_collection_beside_pushes_breaks_none() {
    let folder = tempfile::tempdir().unwrap();
    let one = Served::over(folder.path(), open(), Limits::default()).await;
    let other = Registry::open(folder.path(), Limits::default()).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let collecting = async {
        let mut rounds = 0;
        while !done.load(std::sync::atomic::Ordering::Relaxed) || rounds == 0 {
            // Without a grace: orphans of a push in progress go, so its manifest is refused and never broken.
            other.collect(later(), Duration::ZERO).await.unwrap();
            rounds += 1;
        }
    };
    let pushing = async {
        let mut put = 0;
        for round in 0..60 {
            let layer = format!("layer {round}");
            one.push_blob("a", "{}").await;
            one.push_blob("a", layer.clone()).await;
            let answer = one.put_manifest("a", &format!("v{round}"), &image("{}", &layer, json!({}))).await;
            match answer.status() {
                StatusCode::CREATED => put += 1,
                StatusCode::NOT_FOUND => continue,
                other => panic!("{other}: {:?}", answer.body()),
            }
            let blob = one.get(&format!("/v2/a/blobs/{}", digest(layer.as_bytes()))).await;
            assert_eq!((blob.status(), &blob.body()[..]), (StatusCode::OK, layer.as_bytes()));
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        put
    };
    let ((), put) = tokio::join!(collecting, pushing);
    let tags = served::json_of(&one.get("/v2/a/tags/list").await)["tags"].as_array().map_or(0, Vec::len);
    assert_eq!(tags, put);
}

#[tokio::test]
async fn an_upload_goes_on_at_another_provisioner() {
    let folder = tempfile::tempdir().unwrap();
    let one = Served::over(folder.path(), open(), Limits::default()).await;
    let two = Served::over(folder.path(), open(), Limits::default()).await;
    let place = one.begin("a").await;
    one.ask("PATCH", &place, &[("content-range", "0-4")], "first").await;
    assert_eq!(served::header(&two.get(&place).await, "range"), "0-4");
    let answer = two.ask("PATCH", &place, &[("content-range", "5-10")], "second").await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let end = format!("{place}?digest={}", digest(b"firstsecond"));
    assert_eq!(one.ask("PUT", &end, &[], "").await.status(), StatusCode::CREATED);
    let blob = two.get(&format!("/v2/a/blobs/{}", digest(b"firstsecond"))).await;
    assert_eq!(&blob.body()[..], b"firstsecond");
}

#[tokio::test]
async fn a_repository_with_an_unreadable_manifest_is_left_alone() {
    let served = Served::start().await;
    let manifest = served.push_image("a", "v1", "layer").await;
    served.push_blob("a", "an orphan").await;
    let file =
        served.path().join("registry/repositories/a/_manifests").join(format!("{}.image", &manifest[7..]));
    fs::write(file, "rotten").unwrap();
    let collected = collect(&served.registry).await;
    assert_eq!((collected.blobs, collected.unreadable), (0, 1));
    assert!(shared(served.path(), b"an orphan").exists());
}

#[tokio::test]
async fn stale_uploads_are_given_up() {
    let served = Served::start().await;
    let place = served.begin("a").await;
    assert_eq!(collect(&served.registry).await.uploads, 0);
    let long_after = later() + Duration::from_secs(86_400);
    assert_eq!(served.registry.collect(long_after, GRACE).await.unwrap().uploads, 1);
    assert_eq!(served.get(&place).await.status(), StatusCode::NOT_FOUND);
}
