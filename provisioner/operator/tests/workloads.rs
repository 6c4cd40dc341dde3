//! Files of distributions, values of secrets, previews, targets and nodes, over real HTTP; on both engines.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use cairn_contract::Digest;
use http_body_util::Full;
use serde_json::json;
use support::{Answer, Site, TOKEN};

async fn put(site: &Site, path: &str, secret: &str, bytes: &[u8]) -> Answer {
    let token = format!("Bearer {secret}");
    let headers = [("authorization", token.as_str()), ("content-type", "application/octet-stream")];
    site.send("PUT", path, &headers, Full::from(bytes.to_vec())).await
}

async fn token(site: &Site, (namespace, name): (&str, &str), role: &str) -> String {
    let spec = json!({"role": role, "expires": "2027-03-01T00:00:00Z"});
    site.make("Token", (namespace, name), spec).await["secret"].as_str().unwrap().to_owned()
}

on_both_engines! {
    async fn a_file_is_kept_when_it_is_what_was_said(site: &Site) {
        let bytes = vec![7_u8; 300_000];
        let digest = Digest::of(&bytes);
        let path = format!("/api/v1/artifacts/sha256:{digest}");
        let kept = put(site, &path, TOKEN, &bytes).await;
        assert_eq!(kept.status, 200, "{}", kept.text);
        assert_eq!(kept.json(), json!({"digest": digest.to_string(), "size": 300_000}));
        let (_, size) = site.store.blobs().open(&digest).unwrap().unwrap();
        assert_eq!(size, 300_000);
        assert_eq!(put(site, &path, TOKEN, &bytes).await.status, 200, "again is no conflict");

        let other = put(site, &path, TOKEN, b"something else").await;
        assert_eq!((other.status.as_u16(), other.json()["field"].clone()), (422, json!("key")), "{}", other.text);
        assert!(site.store.blobs().open(&Digest::of(b"something else")).unwrap().is_none(), "nothing of it stays");
        let no_digest = put(site, "/api/v1/artifacts/sha256:abc", TOKEN, &bytes).await;
        assert_eq!((no_digest.status.as_u16(), no_digest.problem().as_str()), (422, "invalid"));
    }

    async fn files_are_taken_from_those_who_may_make_distributions(site: &Site) {
        site.tree("acme").await;
        site.tree("beta").await;
        let path = format!("/api/v1/artifacts/sha256:{}", Digest::of(b"x"));
        let admin = token(site, ("acme", "ci"), "org-admin").await;
        assert_eq!(put(site, &path, &admin, b"x").await.status, 403);
        assert_eq!(put(site, &format!("{path}?namespace=acme"), &admin, b"x").await.status, 200);
        let hidden = put(site, &format!("{path}?namespace=beta"), &admin, b"x").await;
        let missing = put(site, &format!("{path}?namespace=zeta"), &admin, b"x").await;
        assert_eq!((hidden.status, hidden.text.replace("beta", "zeta")), (missing.status, missing.text));
        let viewer = token(site, ("acme", "eye"), "viewer").await;
        assert_eq!(put(site, &format!("{path}?namespace=acme"), &viewer, b"x").await.status, 403);
    }
}
