//! Who gets in and for how long: one-time codes, passwords, sessions, service tokens; over HTTP, on both databases.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod desk;

use std::time::Duration;

use desk::{Desk, LOCAL, PASSWORD};
use serde_json::{Value, json};

const HOUR: u32 = 3600;

fn login(user: &str, password: &str) -> Value {
    json!({"user": user, "password": password})
}

fn with_code(code: &str, user: &str, password: &str) -> Value {
    json!({"code": code, "user": user, "password": password})
}

async fn status(desk: &Desk, token: &str) -> u16 {
    desk.call(token, "GET /whoami", Value::Null).await.status.as_u16()
}

on_both_engines! {
    async fn a_one_time_code_makes_the_first_administrator_and_is_good_once(desk: &Desk) {
        let code = desk.code();
        let file = desk.data().join(cairn_operator::CodeFile::NAME);
        let copy = std::fs::read(&file).unwrap();
        let post = async |body| desk.send("POST /login", &[], body).await;
        let wrong = post(with_code("0000-0000-0000-0000-0000", "root", PASSWORD)).await;
        assert_eq!(wrong.problem(), (401, "unauthorized".to_owned()));
        assert_eq!(post(with_code("what?", "root", PASSWORD)).await.json()["field"], "code");
        let short = post(with_code(&code, "root", "short")).await;
        assert_eq!((short.status.as_u16(), short.json()["field"].clone()), (422, json!("password")));
        let bad_name = post(with_code(&code, "No Name", PASSWORD)).await;
        assert_eq!(bad_name.status, 422, "{}", bad_name.text);

        let done = post(with_code(&code.to_lowercase(), "root", PASSWORD)).await;
        assert_eq!(done.status, 200, "{}", done.text);
        let token = done.json()["token"].as_str().unwrap().to_owned();
        let me = desk.call(&token, "GET /whoami", Value::Null).await.json();
        assert_eq!((me["name"].clone(), me["kind"].clone()), (json!("root"), json!("user")));
        assert_eq!(me["bindings"], json!([{"role": "admin"}]));
        assert!(!file.exists());

        assert_eq!(post(with_code(&code, "eve", PASSWORD)).await.status, 401);
        std::fs::write(&file, copy).unwrap();
        let again = post(with_code(&code, "eve", PASSWORD)).await;
        assert_eq!(again.problem().0, 401);
        assert!(again.json()["detail"].as_str().unwrap().contains("used already"), "{}", again.text);
        let log = desk.audited().await;
        for line in ["code.create  done", "code.use  done", "create root done", "create admin done", "login root done"] {
            assert_eq!(log.iter().filter(|l| *l == line).count(), 1, "{line} in {log:?}");
        }
    }

    async fn a_late_code_is_void_and_a_new_one_gives_a_lost_password_back(desk: &Desk) {
        let late = desk.code();
        desk.clock.advance(24 * HOUR);
        let answer = desk.send("POST /login", &[], with_code(&late, "root", PASSWORD)).await;
        assert_eq!(answer.problem().0, 401);
        assert!(answer.json()["detail"].as_str().unwrap().contains("expired"), "{}", answer.text);

        let first = desk.send("POST /login", &[], with_code(&desk.code(), "root", PASSWORD)).await;
        let old = first.json()["token"].as_str().unwrap().to_owned();
        let disabled = desk.call(LOCAL, "PATCH /users/root", json!({"spec": {"disabled": true}})).await;
        assert_eq!(disabled.status, 409, "the last administrator stays: {}", disabled.text);
        let other = "another horse battery";
        let again = desk.send("POST /login", &[], with_code(&desk.code(), "root", other)).await;
        assert_eq!(again.status, 200, "{}", again.text);
        assert_eq!(status(desk, &old).await, 401, "sessions end with the old password");
        assert_eq!(desk.send("POST /login", &[], login("root", PASSWORD)).await.status, 401);
        assert_eq!(desk.send("POST /login", &[], login("root", other)).await.status, 200);
    }

    async fn wrong_passwords_are_slowed_by_address_and_by_name(desk: &Desk) {
        desk.user("anna").await;
        let from = async |peer: &str, user: &str, password: &str| {
            desk.send("POST /login", &[("x-peer", peer)], login(user, password)).await
        };
        let unknown = from("192.0.2.9", "a secret typed as name", PASSWORD).await;
        let wrong = from("192.0.2.9", "anna", "wrong wrong wrong").await;
        assert_eq!(unknown.text, wrong.text, "nobody learns which names there are");
        for _ in 0..3 {
            from("192.0.2.9", "anna", "wrong wrong wrong").await;
        }
        let blocked = from("192.0.2.9", "anna", PASSWORD).await;
        assert_eq!(blocked.problem(), (429, "too-many".to_owned()));
        assert!(blocked.headers.contains_key("retry-after"));
        for i in 0..6 {
            assert_eq!(from(&format!("192.0.2.{}", 20 + i), "anna", "wrong wrong wrong").await.status, 401);
        }
        let by_name = from("192.0.2.40", "anna", PASSWORD).await;
        assert_eq!(by_name.problem().0, 429, "{}", by_name.text);
        assert!(by_name.text.contains("this user"), "{}", by_name.text);
        assert_eq!(from("198.51.100.1", "anna", PASSWORD).await.status, 200, "a stranger locks nobody out");
        let log = desk.call(LOCAL, "GET /audit?verb=login", Value::Null).await;
        assert!(!log.text.contains("a secret typed"), "{}", log.text);
        let refused = desk.audited().await.iter().filter(|l| l.ends_with("refused")).count();
        assert_eq!(refused, 11, "each failure is told");
    }

    async fn a_session_ends_by_rest_and_by_age(desk: &Desk) {
        desk.user("anna").await;
        let rests = desk.log_in("anna").await;
        desk.clock.advance(HOUR - 1);
        assert_eq!(status(desk, &rests).await, 200);
        desk.clock.advance(HOUR - 1);
        assert_eq!(status(desk, &rests).await, 200, "each use keeps it");
        desk.clock.advance(HOUR);
        assert_eq!(status(desk, &rests).await, 401);
        let used = desk.log_in("anna").await;
        for _ in 0..13 {
            desk.clock.advance(3000);
            assert_eq!(status(desk, &used).await, 200);
        }
        desk.clock.advance(12 * HOUR - 13 * 3000);
        assert_eq!(status(desk, &used).await, 401);
        let left = desk.log_in("anna").await;
        assert_eq!(desk.call(&left, "DELETE /session", Value::Null).await.status, 204);
        assert_eq!(status(desk, &left).await, 401);
        let gone = desk.log_in("anna").await;
        assert_eq!(desk.call(LOCAL, "DELETE /users/anna", Value::Null).await.status, 204);
        assert_eq!(status(desk, &gone).await, 401);
        assert!(desk.audited().await.contains(&"logout anna done".to_owned()));
    }

    async fn a_browser_gets_a_cookie_and_changes_things_only_from_its_own_pages(desk: &Desk) {
        desk.user("anna").await;
        let own = format!("https://{}", desk.addr);
        let foreign = desk.send("POST /login", &[("origin", "https://evil.example")], login("anna", PASSWORD)).await;
        assert_eq!(foreign.problem(), (403, "foreign-origin".to_owned()));
        let done = desk.send("POST /login", &[("origin", &own)], login("anna", PASSWORD)).await;
        assert_eq!(done.status, 200, "{}", done.text);
        assert!(done.json().get("token").is_none(), "scripts never see it: {}", done.text);
        assert!(done.json()["note"].as_str().unwrap().contains("no role"), "{}", done.text);
        let set = done.headers["set-cookie"].to_str().unwrap();
        for word in ["__Host-cairn=", "HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
            assert!(set.contains(word), "{set}");
        }
        let cookie = format!("__Host-cairn={}", done.cookie("__Host-cairn").unwrap());
        let cookie = ("cookie", cookie.as_str());
        assert_eq!(desk.send("GET /whoami", &[cookie], Value::Null).await.status, 200);
        let change = json!({"old": PASSWORD, "new": "another horse battery"});
        for origin in [None, Some("https://evil.example"), Some("null")] {
            let mut headers = vec![cookie];
            headers.extend(origin.map(|o| ("origin", o)));
            let refused = desk.send("POST /users/anna/password", &headers, change.clone()).await;
            assert_eq!(refused.problem().1, "foreign-origin");
        }
        let changed = desk.send("POST /users/anna/password", &[cookie, ("origin", &own)], change).await;
        assert_eq!(changed.status, 204, "{}", changed.text);
        let out = desk.send("DELETE /session", &[cookie, ("origin", &own)], Value::Null).await;
        assert_eq!((out.status.as_u16(), out.cookie("__Host-cairn").as_deref()), (204, Some("")));
        assert_eq!(desk.send("GET /whoami", &[cookie], Value::Null).await.status, 401);
    }

    async fn a_new_password_needs_the_old_one_or_the_right_and_ends_other_sessions(desk: &Desk) {
        desk.two_tenants().await;
        desk.user("bob").await;
        let (here, there) = (desk.log_in("anna").await, desk.log_in("anna").await);
        let set = async |token: &str, user: &str, body: Value| {
            desk.call(token, &format!("POST /users/{user}/password"), body).await
        };
        let next = "another horse battery";
        assert_eq!(set(&here, "anna", json!({"new": next})).await.json()["field"], "old");
        assert_eq!(set(&here, "anna", json!({"old": "wrong wrong wrong", "new": next})).await.status, 401);
        assert_eq!(set(&here, "bob", json!({"new": next})).await.status, 404, "anna may not see bob");
        assert_eq!(set(&here, "anna", json!({"old": PASSWORD, "new": "short"})).await.json()["field"], "new");
        let done = set(&here, "anna", json!({"old": PASSWORD, "new": next})).await;
        assert_eq!(done.status, 204, "{}", done.text);
        assert_eq!((status(desk, &here).await, status(desk, &there).await), (200, 401));
        assert_eq!(desk.send("POST /login", &[], login("anna", next)).await.status, 200);
        assert_eq!(set(LOCAL, "anna", json!({"new": PASSWORD})).await.status, 204);
        assert_eq!(status(desk, &here).await, 401, "another's new password ends all");
    }

    async fn a_service_token_reaches_its_place_and_no_other(desk: &Desk) {
        desk.two_tenants().await;
        let anna = desk.log_in("anna").await;
        let spec = |role: &str, expires: &str| json!({"role": role, "expires": expires});
        let made = desk.create(&anna, "Token", ("retail.acme", "ci"), spec("viewer", "2027-02-01T00:00:00Z")).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let secret = made.json()["secret"].as_str().unwrap().to_owned();
        assert!(secret.starts_with("cairn_st_"), "{secret}");
        let shown = desk.call(&anna, "GET /tokens/ci.retail.acme", Value::Null).await;
        assert!(shown.status == 200 && !shown.text.contains("secret") && !shown.text.contains("cairn_st_"));

        let me = desk.call(&secret, "GET /whoami", Value::Null).await.json();
        assert_eq!((me["name"].clone(), me["kind"].clone()), (json!("ci.retail.acme"), json!("token")));
        assert_eq!(me["bindings"][0]["at"], json!({"kind": "Project", "name": "retail.acme"}));
        assert_eq!(desk.call(&secret, "GET /projects/retail.acme", Value::Null).await.status, 200);
        for hidden in ["/projects/retail.other", "/organisations/other", "/users/anna", "/hosts/nothing"] {
            let answer = desk.call(&secret, &format!("GET {hidden}"), Value::Null).await;
            assert_eq!(answer.problem(), (404, "not-found".to_owned()), "{hidden}");
        }
        let write = desk.create(&secret, "Site", ("retail.acme", "north"), json!({})).await;
        assert_eq!(write.problem(), (403, "forbidden".to_owned()));
        let elsewhere = desk.create(&secret, "Site", ("retail.other", "north"), json!({})).await;
        assert_eq!(elsewhere.status, 404, "{}", elsewhere.text);
        let log = desk.call(LOCAL, "GET /audit?verb=create", Value::Null).await;
        assert!(!log.text.contains("cairn_st_"), "no secret in the log");

        let gone = desk.call(&anna, "DELETE /tokens/ci.retail.acme", Value::Null).await;
        assert_eq!(gone.status, 204, "{}", gone.text);
        assert_eq!(status(desk, &secret).await, 401);
    }

    async fn a_service_token_ends_in_time_and_its_use_is_noted(desk: &Desk) {
        desk.two_tenants().await;
        let spec = json!({"role": "viewer", "expires": "2027-01-15T09:00:00Z"});
        let made = desk.make("Token", "retail.acme", "ci", spec).await;
        let secret = made["secret"].as_str().unwrap();
        let uid = made["metadata"]["uid"].as_str().unwrap().parse().unwrap();
        let used = async || desk.store.service_token_of(uid).await.unwrap().unwrap().last_used;
        assert_eq!(used().await, None);
        let first = desk.now();
        assert_eq!(status(desk, secret).await, 200);
        assert_eq!(used().await, Some(first));
        desk.clock.advance(59);
        assert_eq!((status(desk, secret).await, used().await), (200, Some(first)));
        desk.clock.advance(1);
        assert_eq!((status(desk, secret).await, used().await), (200, Some(desk.now())));
        let left = 1_800_003_600_000 - desk.now().0;
        desk.clock.advance(u32::try_from(left / 1000 - 1).unwrap());
        assert_eq!(status(desk, secret).await, 200);
        desk.clock.advance(1);
        assert_eq!(status(desk, secret).await, 401);
    }

    async fn nobody_gives_what_they_have_not(desk: &Desk) {
        desk.two_tenants().await;
        let anna = desk.log_in("anna").await;
        let refused = async |kind: &str, place: (&str, &str), spec: Value| {
            desk.create(&anna, kind, place, spec).await.status.as_u16()
        };
        let until = "2027-02-01T00:00:00Z";
        let bind = |role: &str| json!({"role": role, "subjects": [{"kind": "User", "name": "anna"}]});
        assert_eq!(refused("RoleBinding", ("", "up"), bind("admin")).await, 403);
        assert_eq!(refused("RoleBinding", ("acme", "up"), bind("org-admin")).await, 403);
        assert_eq!(refused("RoleBinding", ("retail.acme", "up"), bind("org-admin")).await, 403);
        assert_eq!(refused("RoleBinding", ("retail.other", "up"), bind("viewer")).await, 404);
        assert_eq!(refused("Token", ("retail.acme", "up"), json!({"role": "org-admin", "expires": until})).await, 403);
        assert_eq!(refused("Token", ("acme", "up"), json!({"role": "viewer", "expires": until})).await, 403);
        assert_eq!(refused("RoleBinding", ("retail.acme", "ok"), bind("viewer")).await, 201);
        let log = desk.audited().await;
        assert!(log.iter().any(|l| l.starts_with("create") && l.ends_with("refused")), "{log:?}");
    }

    async fn a_disabled_user_loses_streams_within_a_second_and_sessions_for_good(desk: &Desk) {
        desk.two_tenants().await;
        let (anna, other) = (desk.log_in("anna").await, desk.log_in("anna").await);
        let (mut stream, mut closed) = (desk.stream(&anna, "GET /watch").await, desk.stream(&other, "GET /watch").await);
        stream.first().await;
        closed.first().await;
        assert_eq!(desk.call(&other, "DELETE /session", Value::Null).await.status, 204);
        assert!(closed.ends_within(Duration::from_secs(1)).await, "a logout ends its streams");
        assert!(!stream.ends_within(Duration::from_millis(600)).await, "and no others");
        let disabled = desk.call(LOCAL, "PATCH /users/anna", json!({"spec": {"disabled": true}})).await;
        assert_eq!(disabled.status, 200, "{}", disabled.text);
        assert!(stream.ends_within(Duration::from_secs(1)).await);
        assert_eq!(status(desk, &anna).await, 401);
        assert_eq!(desk.send("POST /login", &[], login("anna", PASSWORD)).await.status, 401);
        let enabled = desk.call(LOCAL, "PATCH /users/anna", json!({"spec": {"disabled": false}})).await;
        assert_eq!(enabled.status, 200, "{}", enabled.text);
        assert_eq!(status(desk, &anna).await, 401, "the session does not come back");
        desk.log_in("anna").await;
    }
}

#[tokio::test]
async fn a_token_that_is_revoked_ends_its_streams() {
    let desk = desk::Options::default().start().await;
    desk.two_tenants().await;
    let spec = json!({"role": "viewer", "expires": "2027-02-01T00:00:00Z"});
    let made = desk.make("Token", "retail.acme", "ci", spec).await;
    let mut stream = desk.stream(made["secret"].as_str().unwrap(), "GET /watch").await;
    stream.first().await;
    assert_eq!(desk.call(LOCAL, "DELETE /tokens/ci.retail.acme", Value::Null).await.status, 204);
    assert!(stream.ends_within(Duration::from_secs(1)).await);
}

#[tokio::test]
async fn the_local_token_is_setup_unless_there_is_none() {
    let desk = desk::Options::default().start().await;
    let me = desk.call(LOCAL, "GET /whoami", Value::Null).await.json();
    assert_eq!(me["kind"], "setup");
    let own = format!("https://{}", desk.addr);
    let exchanged = desk.send("POST /session", &[("origin", &own)], json!({"token": LOCAL})).await;
    assert_eq!(exchanged.status, 204, "{}", exchanged.text);
    let cookie = format!("__Host-cairn={}", exchanged.cookie("__Host-cairn").unwrap());
    let me = desk.send("GET /whoami", &[("cookie", &cookie)], Value::Null).await.json();
    assert_eq!(me["kind"], "setup");
    let without = desk::Options { no_local_token: true, ..Default::default() }.start().await;
    assert_eq!(status(&without, LOCAL).await, 401);
}

#[tokio::test]
async fn each_user_has_a_bounded_number_of_sessions() {
    let desk = desk::Options::default().start().await;
    desk.user("anna").await;
    let first = desk.log_in("anna").await;
    for _ in 0..32 {
        desk.clock.advance(1);
        desk.log_in("anna").await;
    }
    assert_eq!(status(&desk, &first).await, 401);
}

#[tokio::test]
async fn several_provisioners_know_the_same_people_and_lose_them_together() {
    let one = desk::Options::postgres().start().await;
    let shared = Some(one.database.clone());
    let two = desk::Options { shared, ..desk::Options::postgres() }.start().await;
    one.two_tenants().await;
    let anna = one.log_in("anna").await;
    let known = async || status(&two, &anna).await == 200;
    for _ in 0..100 {
        if known().await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut stream = two.stream(&anna, "GET /watch").await;
    stream.first().await;
    let disabled = one.call(LOCAL, "PATCH /users/anna", json!({"spec": {"disabled": true}})).await;
    assert_eq!(disabled.status, 200, "{}", disabled.text);
    assert!(stream.ends_within(Duration::from_secs(1)).await, "at the other one too");
    assert_eq!(status(&two, &anna).await, 401);

    let code = one.code();
    let file = cairn_operator::CodeFile::NAME;
    std::fs::copy(one.data().join(file), two.data().join(file)).unwrap();
    let body = with_code(&code, "root", PASSWORD);
    let (a, b) = tokio::join!(one.send("POST /login", &[], body.clone()), two.send("POST /login", &[], body));
    let mut answers = [a.status.as_u16(), b.status.as_u16()];
    answers.sort_unstable();
    assert_eq!(answers, [200, 401], "a code is good once: {} {}", a.text, b.text);
}
