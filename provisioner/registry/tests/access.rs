//! What one may not do is refused, and what one may not see does not exist for one.

#![allow(clippy::unwrap_used, reason = "a test")]

mod served;

use std::sync::Arc;

use cairn_registry::{Access, Action, Challenge, Limits, RepositoryName};
use http::StatusCode;
use served::{Served, code, digest, header, json_of};

/// May pull what begins with `open/`, and push to and delete from nothing but `mine`.
struct Somebody;

impl Access for Somebody {
    fn may(&self, repository: &RepositoryName, action: Action) -> bool {
        let name = repository.as_str();
        name == "mine" || action == Action::Pull && name.starts_with("open/")
    }
}

struct Stranger;

impl Access for Stranger {
    fn may(&self, _: &RepositoryName, _: Action) -> bool {
        false
    }

    fn challenge(&self) -> Option<Challenge> {
        Some(Challenge::Basic { realm: "cairn".into() })
    }
}

/// A folder with an image in `open/a`, `secret/a` and `mine`.
async fn filled() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let all = Served::over(folder.path(), served::open(), Limits::default()).await;
    let mut manifest = String::new();
    for name in ["open/a", "secret/a", "mine"] {
        manifest = all.push_image(name, "v1", name).await;
    }
    (folder, manifest)
}

#[tokio::test]
async fn the_secret_is_as_if_absent() {
    let (folder, _) = filled().await;
    let registry = Served::over(folder.path(), Arc::new(Somebody), Limits::default()).await;
    let blob = digest(b"secret/a");
    for place in ["manifests/v1", "tags/list", &format!("blobs/{blob}"), &format!("referrers/{blob}")] {
        let secret = registry.get(&format!("/v2/secret/a/{place}")).await;
        let absent = registry.get(&format!("/v2/nowhere/{place}")).await;
        assert_eq!((secret.status(), secret.body()), (StatusCode::NOT_FOUND, absent.body()));
        assert_eq!((absent.status(), code(&absent)), (StatusCode::NOT_FOUND, "NAME_UNKNOWN".into()));
    }
    let catalog = json_of(&registry.get("/v2/_catalog").await);
    assert_eq!(catalog["repositories"], serde_json::json!(["mine", "open/a"]));
    // A mount does not tell either: an upload begins, as for a blob that nobody has.
    let mount = format!("/v2/mine/blobs/uploads/?mount={blob}&from=secret/a");
    assert_eq!(registry.ask("POST", &mount, &[], "").await.status(), StatusCode::ACCEPTED);
    assert_eq!(registry.get(&format!("/v2/mine/blobs/{blob}")).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_may_read_may_not_write() {
    let (folder, _) = filled().await;
    let registry = Served::over(folder.path(), Arc::new(Somebody), Limits::default()).await;
    assert_eq!(registry.get("/v2/open/a/manifests/v1").await.status(), StatusCode::OK);
    for (method, place) in [("DELETE", "manifests/v1"), ("PUT", "manifests/v2"), ("POST", "blobs/uploads/")] {
        let answer = registry.ask(method, &format!("/v2/open/a/{place}"), &[], "").await;
        assert_eq!((answer.status(), code(&answer)), (StatusCode::FORBIDDEN, "DENIED".into()), "{method}");
    }
    registry.push_image("mine", "v2", "more").await;
}

#[tokio::test]
async fn a_stranger_is_asked_to_log_in() {
    let (folder, _) = filled().await;
    let registry = Served::over(folder.path(), Arc::new(Stranger), Limits::default()).await;
    for path in ["/v2/", "/v2/_catalog", "/v2/open/a/manifests/v1", "/v2/nowhere/tags/list"] {
        let answer = registry.get(path).await;
        assert_eq!(
            (answer.status(), code(&answer)),
            (StatusCode::UNAUTHORIZED, "UNAUTHORIZED".into()),
            "{path}"
        );
        assert_eq!(header(&answer, "www-authenticate"), r#"Basic realm="cairn", charset="UTF-8""#);
    }
}

#[tokio::test]
async fn an_upload_belongs_to_its_repository() {
    let registry = Served::start().await;
    let place = registry.begin("a").await;
    let elsewhere = place.replace("/v2/a/", "/v2/b/");
    assert_eq!(registry.ask("PATCH", &elsewhere, &[], "x").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(registry.ask("DELETE", &elsewhere, &[], "").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(registry.ask("PATCH", &place, &[], "x").await.status(), StatusCode::ACCEPTED);
    assert_eq!(registry.ask("DELETE", &place, &[], "").await.status(), StatusCode::NO_CONTENT);
    assert_eq!(registry.ask("PATCH", &place, &[], "x").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(registry.get("/v2/a/blobs/uploads/..%2f..%2fx").await.status(), StatusCode::NOT_FOUND);
}
