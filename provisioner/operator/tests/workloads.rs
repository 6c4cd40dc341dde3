//! Files of distributions, values of secrets, previews, targets and nodes, over real HTTP; on both engines.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use cairn_contract::{
    Digest, HostId,
    workload::{ApplicationObserved, KubeNode, NodeObserved, Phase, ReleaseObserved, WorkloadObserved},
};
use cairn_domain::model::Uid;
use cairn_store::{AssignedKind, Clock as _, OrderWrite, Progress, ResourceWrite, Said, SystemClock};
use http_body_util::Full;
use serde_json::{Value, json};
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

fn uid(object: &Value) -> Uid {
    object["metadata"]["uid"].as_str().unwrap().parse().unwrap()
}

async fn tells(site: &Site, (host, subject): (&Value, &Value), said: Said) {
    let (id, subject): (HostId, Uid) = (uid(host).into(), uid(subject));
    let order = OrderWrite::Put {
        host: id,
        subject,
        kind: said.kind,
        revision: Digest::of(b"order"),
        body: "{}".into(),
    };
    let now = SystemClock.now();
    site.store.write_orders(&[order], now).await.unwrap();
    let rows = site.store.assignments_of(id).await.unwrap();
    site.store.observe(id, &rows, &[said], now).await.unwrap();
}

async fn status(site: &Site, object: &Value, status: Value) {
    let batch = cairn_store::Batch {
        actor: cairn_domain::audit::Actor::system("test"),
        at: SystemClock.now(),
        premise: None,
        writes: vec![ResourceWrite::Status { uid: uid(object), status: status.into() }],
        credentials: Vec::new(),
        trail: cairn_store::Trail::default(),
    };
    site.catalog.write(&batch).await.unwrap();
}

/// A project with two hosts, a package for hosts, and a deployment of it.
async fn deployed(site: &Site) -> (Value, Value, Value) {
    site.tree("acme").await;
    let here = |name: &'static str| ("retail.acme", name);
    let one = site.make("Host", here("edge-1"), json!({"serial": "S1", "site": "store-1"})).await;
    let two = site.make("Host", here("edge-2"), json!({"serial": "S2", "site": "store-1"})).await;
    let package = json!({"package": "hello", "version": "1.0.0",
        "parameters": [{"name": "greeting", "default": "Hello"}],
        "applications": [{"name": "web", "source": {"container": {"image": "hello:1", "env": ["G=${greeting}"]}}}]});
    site.make("Package", ("acme", "hello-1-0-0"), package).await;
    let spec = json!({"package": "hello", "targets": {"kind": "host", "names": ["edge-1", "edge-2"]}});
    let deployment = site.make("Deployment", here("hello"), spec).await;
    (one, two, deployment)
}

on_both_engines! {
    async fn values_of_secrets_go_in_and_never_come_out(site: &Site) {
        site.tree("acme").await;
        site.make("Secret", ("retail.acme", "db"), json!({"description": "of the till"})).await;
        let path = "/api/v1/secrets/db.retail.acme/values";
        let set = site.call("PUT", path, Some(json!({"values": {"user": "app", "password": "hunter2"}}))).await;
        assert_eq!(set.status, 200, "{}", set.text);
        assert_eq!(set.json()["status"]["keys"], json!(["password", "user"]));
        let again = site.call("PUT", path, Some(json!({"values": {"password": "hunter3"}}))).await;
        assert_ne!(again.json()["metadata"]["resourceVersion"], set.json()["metadata"]["resourceVersion"]);
        let gone = site.call("DELETE", &format!("{path}/user"), None).await;
        assert_eq!(gone.json()["status"]["keys"], json!(["password"]), "{}", gone.text);
        assert_eq!(site.call("DELETE", &format!("{path}/user"), None).await.problem(), "not-found");
        for (body, field) in [
            (json!({"values": {}}), "values"),
            (json!({"values": {"a b": "x"}}), "values"),
            (json!({"values": {"big": "x".repeat(300_000)}}), "values"),
        ] {
            let refused = site.call("PUT", path, Some(body)).await;
            assert_eq!((refused.status.as_u16(), refused.json()["field"].clone()), (422, json!(field)), "{}", refused.text);
        }
        let number = site.call("PUT", path, Some(json!({"values": {"pin": 471_147}}))).await;
        assert!(number.status == 422 && !number.text.contains("471147"), "{}", number.text);
        let audit = site.get("/api/v1/audit?kind=Secret").await.text;
        assert!(audit.contains("secret.set") && audit.contains("secret.remove"), "{audit}");
        for path in ["/api/v1/secrets/db.retail.acme", "/api/v1/secrets", "/api/v1/audit"] {
            let answer = site.get(path).await;
            assert!(answer.status == 200 && !answer.text.contains("hunter"), "{path}: {}", answer.text);
        }
        assert_eq!(site.get("/api/v1/secrets/db.retail.acme/values").await.status, 405);
    }

    async fn values_are_set_by_those_with_the_right_for_it(site: &Site) {
        site.tree("acme").await;
        site.make("Secret", ("retail.acme", "db"), json!({})).await;
        let path = "/api/v1/secrets/db.retail.acme/values";
        let body = json!({"values": {"password": "x"}}).to_string();
        let mut answers = Vec::new();
        for role in ["viewer", "auditor", "app-deployer"] {
            let secret = token(site, ("retail.acme", role), role).await;
            let bearer = format!("Bearer {secret}");
            let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
            answers.push(site.send("PUT", path, &headers, Full::from(body.clone())).await.status.as_u16());
        }
        assert_eq!(answers, [404, 403, 200], "a viewer sees no secrets, an auditor changes none");
    }

    async fn a_preview_tells_what_each_target_would_get(site: &Site) {
        deployed(site).await;
        let ask = |name: &str, spec: Value| {
            let body = support::manifest("Deployment", ("retail.acme", name), spec);
            async move { site.call("POST", "/api/v1/deployments/preview", Some(body)).await }
        };
        let none = json!({"package": "hello", "targets": {"kind": "host", "selector": {"matchLabels": {}}}});
        assert_eq!(ask("new", none).await.json()["total"], 0, "neither runs yet");
        let spec = json!({"package": "hello", "targets": {"kind": "host", "names": ["edge-1", "edge-2"]},
            "overrides": [{"names": ["edge-2"], "parameters": {"greeting": "Hi"}}]});
        let shown = ask("new", spec.clone()).await;
        assert_eq!(shown.status, 200, "{}", shown.text);
        let shown = shown.json();
        assert_eq!((&shown["version"], &shown["total"]), (&json!("1.0.0"), &json!(2)), "{shown}");
        let got: Vec<_> = shown["targets"].as_array().unwrap().iter().map(|t| (&t["target"], &t["parameters"]["greeting"])).collect();
        assert_eq!(got, [(&json!("edge-1"), &json!("Hello")), (&json!("edge-2"), &json!("Hi"))]);
        assert_eq!(site.get("/api/v1/deployments/new.retail.acme").await.status, 404, "nothing was written");
        let changed = ask("hello", spec.clone()).await;
        assert_eq!(changed.status, 200, "of one that exists: {}", changed.text);
        let mut slip = spec.clone();
        slip["parametres"] = json!({});
        assert_eq!(ask("new", slip).await.json()["field"], "spec.parametres");
        let elsewhere = support::manifest("Deployment", ("nowhere.acme", "x"), spec);
        let elsewhere = site.call("POST", "/api/v1/deployments/preview", Some(elsewhere)).await;
        assert_eq!(elsewhere.problem(), "not-found");
    }

    async fn targets_and_nodes_say_how_far_they_are(site: &Site) {
        let (one, two, deployment) = deployed(site).await;
        let workload = WorkloadObserved { kind: "Container".into(), namespace: String::new(), name: "web".into(),
            phase: Phase::Failed, message: "no such image".into(), restarts: 3 };
        let application = ApplicationObserved { name: "web".into(), phase: Phase::Failed, reason: "ImagePull".into(),
            message: "no such image".into(), workloads: vec![workload] };
        let said = ReleaseObserved { deployment: uid(&deployment).0, revision: Digest::of(b"order"), phase: Phase::Failed,
            reason: "ImagePull".into(), message: "web: no such image".into(), corrected: 2, applications: vec![application] };
        let said = Said { subject: uid(&deployment), kind: AssignedKind::Deployment, progress: Progress::Said(Phase::Failed),
            observed: serde_json::to_string(&said).unwrap() };
        tells(site, (&one, &deployment), said).await;
        let worst = json!([{"kind": "Host", "name": "edge-2", "phase": "Waiting", "reason": "HostNotRunning", "message": "it is off"}]);
        status(site, &deployment, json!({"worst": worst})).await;
        let page = site.get("/api/v1/deployments/hello.retail.acme/targets").await.json();
        let rows = page["items"].as_array().unwrap();
        assert_eq!(rows.len(), 2, "{page}");
        assert_eq!((&rows[0]["target"], &rows[0]["phase"], &rows[0]["current"]), (&json!("edge-1.retail.acme"), &json!("Failed"), &json!(true)));
        assert_eq!(rows[0]["applications"][0]["workloads"][0]["restarts"], 3);
        assert_eq!((&rows[1]["target"], &rows[1]["reason"]), (&json!("edge-2.retail.acme"), &json!("HostNotRunning")));
        let first = site.get("/api/v1/deployments/hello.retail.acme/targets?limit=1").await.json();
        let next = format!("/api/v1/deployments/hello.retail.acme/targets?limit=1&after={}", first["next"].as_str().unwrap());
        assert_eq!(site.get(&next).await.json()["items"][0], rows[1]);
        let runs = site.get("/api/v1/hosts/edge-1/workloads").await.json();
        assert_eq!(runs["items"][0]["name"], "hello.retail.acme", "{runs}");

        let run = json!({"adminKubeconfig": "/etc/kubernetes/admin.conf", "caCertificate": "/etc/kubernetes/pki/ca.crt"});
        site.make("Distribution", ("acme", "k"), json!({"family": "kubeadm", "version": "1.36.1", "run": run})).await;
        site.make("ClusterTemplate", ("acme", "t"), json!({"version": "1.0.0", "distribution": "k"})).await;
        let cluster = site.make("Cluster", ("retail.acme", "edge"), json!({"template": "t", "hosts": ["edge-1", "edge-2"]})).await;
        let kube = KubeNode { name: "edge-1".into(), ready: true, version: "v1.36.1".into(), message: String::new() };
        let said = NodeObserved { cluster: uid(&cluster).0, phase: Phase::Ready, reason: "Ready".into(), message: String::new(),
            endpoint: Some("10.0.0.1:6443".into()), ca_pin: None, nodes: vec![kube], spent_tokens: Vec::new() };
        let said = Said { subject: uid(&cluster), kind: AssignedKind::Cluster, progress: Progress::Said(Phase::Ready),
            observed: serde_json::to_string(&said).unwrap() };
        tells(site, (&one, &cluster), said).await;
        let nodes = site.get("/api/v1/clusters/edge.retail.acme/nodes").await.json();
        let node = &nodes["items"][0];
        assert_eq!((&node["role"], &node["ready"], &node["version"]), (&json!("control plane"), &json!(true), &json!("v1.36.1")), "{nodes}");
        assert_eq!(site.get("/api/v1/clusters/nothing.retail.acme/nodes").await.problem(), "not-found");
        let _ = two;
    }

    async fn another_tenants_targets_are_nobodys_business(site: &Site) {
        deployed(site).await;
        site.tree("beta").await;
        let secret = token(site, ("beta", "spy"), "org-admin").await;
        let bearer = format!("Bearer {secret}");
        for path in ["deployments/hello.retail.acme/targets", "clusters/edge.retail.acme/nodes", "hosts/edge-1.retail.acme/workloads"] {
            let answer = site.send("GET", &format!("/api/v1/{path}"), &[("authorization", bearer.as_str())], Full::from("")).await;
            assert_eq!(answer.problem(), "not-found", "{path}");
        }
        let body = support::manifest("Deployment", ("retail.acme", "x"), json!({"package": "hello", "targets": {"kind": "host", "names": ["edge-1"]}}));
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answer = site.send("POST", "/api/v1/deployments/preview", &headers, Full::from(body.to_string())).await;
        assert_eq!(answer.problem(), "not-found", "{}", answer.text);
    }

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
