//! The served OpenAPI document, held against the server that serves it.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use cairn_domain::model::Kind;
use serde_json::Value;
use support::site;

#[tokio::test]
async fn every_example_is_admitted_by_a_new_appliance() {
    let site = site().await;
    let document = site.get("/api/v1/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut made = 0;
    for kind in Kind::ALL {
        let example = &document["components"]["schemas"][format!("{kind}Input")]["examples"][0];
        if example.is_null() {
            assert!(matches!(kind, Kind::Token | Kind::OsImage), "{kind}");
            continue;
        }
        let answer = site.call("POST", &format!("/api/v1/{}", kind.plural()), Some(example.clone())).await;
        assert_eq!(answer.status, 201, "{kind}: {}", answer.text);
        made += 1;
    }
    assert_eq!(made, 17);
}

/// What the document says is open is open; all else wants somebody who is known, and says so.
#[tokio::test]
async fn what_is_not_open_is_refused_to_strangers() {
    let site = site().await;
    let document = site.get("/api/v1/openapi.json").await.json();
    let mut closed = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation["security"] == Value::Array(Vec::new()) {
                continue;
            }
            let path = format!("/api/v1{}", path.replace("{key}", "x").replace(['{', '}'], ""));
            let answer = site.send(&method.to_uppercase(), &path, &[], http_body_util::Full::from("")).await;
            assert_eq!(
                (answer.status.as_u16(), answer.problem().as_str()),
                (401, "unauthorized"),
                "{method} {path}"
            );
            closed += 1;
        }
    }
    assert!(closed > 90, "{closed}");
}
