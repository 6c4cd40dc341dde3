//! Logins at an issuer, by browser and by device, against npm's certified provider on a loopback port.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod desk;

use cairn_identity::oidc::{Oidc, Provider};
use cairn_oidc_peer::{Browser, OidcPeer};
use cairn_store::{Clock as _, SystemClock};
use desk::{Answer, Desk, LOCAL, Options};
use serde_json::{Value, json};

async fn site(options: Options) -> (Desk, OidcPeer) {
    let peer =
        tokio::task::spawn_blocking(OidcPeer::start).await.unwrap().unwrap_or_else(|e| panic!("{e:#?}"));
    let text = format!(
        "issuer = {:?}\nclient_id = {:?}\nclient_secret = {:?}\nscopes = [\"profile\", \"email\", \"groups\"]\n",
        peer.issuer, peer.client_id, peer.client_secret
    );
    let config: Oidc = toml::from_str(&text).unwrap();
    let oidc = Some(Provider::new(config).unwrap());
    // The issuer has its own clock, which its tokens tell.
    let at = Some(SystemClock.now());
    (Options { oidc, at, ..options }.start().await, peer)
}

/// To the issuer's page, and what it sends the browser back with.
async fn browser(desk: &Desk, person: &str) -> Answer {
    let begun = desk.send("GET /login/oidc", &[], Value::Null).await;
    assert_eq!(begun.status, 303, "{}", begun.text);
    let cookie = begun.headers["set-cookie"].to_str().unwrap();
    for word in ["HttpOnly", "Secure", "SameSite=Lax", "Max-Age=600"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    let back = Browser::default().log_in(begun.headers["location"].to_str().unwrap(), person).await.unwrap();
    come_back(desk, &begun, &back).await
}

async fn come_back(desk: &Desk, begun: &Answer, back: &str) -> Answer {
    let own = format!("https://{}/api/v1/login/oidc/callback?", desk.addr);
    let query = back.strip_prefix(&own).unwrap_or_else(|| panic!("{back}"));
    let cookie = format!("__Host-cairn-login={}", begun.cookie("__Host-cairn-login").unwrap());
    desk.send(&format!("GET /login/oidc/callback?{query}"), &[("cookie", &cookie)], Value::Null).await
}

async fn whoami(desk: &Desk, answer: &Answer) -> Value {
    let cookie = format!("__Host-cairn={}", answer.cookie("__Host-cairn").unwrap());
    let me = desk.send("GET /whoami", &[("cookie", &cookie)], Value::Null).await;
    assert_eq!(me.status, 200, "{}", me.text);
    me.json()
}

async fn a_browser_logs_in(options: Options) {
    let (desk, _peer) = site(options).await;
    let spec = json!({"role": "viewer", "subjects": [{"kind": "Group", "name": "operators"}]});
    desk.make("RoleBinding", "", "operators", spec).await;
    let done = browser(&desk, "alice").await;
    assert_eq!(
        (done.status.as_u16(), done.headers["location"].to_str().unwrap()),
        (303, "/"),
        "{}",
        done.text
    );
    let set: Vec<_> = done.headers.get_all("set-cookie").iter().map(|v| v.to_str().unwrap()).collect();
    assert!(set.iter().any(|c| c.starts_with("__Host-cairn=") && c.contains("SameSite=Strict")), "{set:?}");
    let me = whoami(&desk, &done).await;
    assert_eq!(me["name"], "alice");
    assert_eq!(me["groups"], json!(["admins", "operators"]));
    assert_eq!(me["bindings"], json!([{"role": "viewer"}]));

    let user = desk.call(LOCAL, "GET /users/alice", Value::Null).await.json();
    assert_eq!(user["spec"]["oidc"]["subject"], "alice");
    assert_eq!(user["spec"]["email"], "alice@example.test");
    let emptied = desk.call(LOCAL, "PATCH /users/alice", json!({"spec": {"groups": []}})).await;
    assert_eq!(emptied.status, 200, "{}", emptied.text);
    assert_eq!(whoami(&desk, &browser(&desk, "alice").await).await["groups"], json!(["admins", "operators"]));

    let password = json!({"new": "correct horse battery"});
    let refused = desk.call(LOCAL, "POST /users/alice/password", password).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    let log = desk.audited().await;
    assert_eq!(log.iter().filter(|l| *l == "create alice done").count(), 1, "{log:?}");
    assert_eq!(log.iter().filter(|l| *l == "login alice done").count(), 2, "{log:?}");
}

#[tokio::test]
async fn a_browser_logs_in_and_is_made_a_user_with_sqlite() {
    a_browser_logs_in(Options::default()).await;
}

#[tokio::test]
async fn a_browser_logs_in_and_is_made_a_user_with_postgres() {
    a_browser_logs_in(Options::postgres()).await;
}

#[tokio::test]
async fn a_device_logs_in_while_the_command_asks_again() {
    let (desk, _peer) = site(Options::default()).await;
    desk.user("root").await;
    desk.bind("root", "admin", "").await;
    let begun = desk.send("POST /login/device", &[], Value::Null).await;
    assert_eq!(begun.status, 200, "{}", begun.text);
    let prompt = begun.json();
    let poll = format!("POST /login/device/{}", prompt["handle"].as_str().unwrap());
    let early = desk.send(&poll, &[], Value::Null).await;
    assert_eq!(early.status, 202, "{}", early.text);
    let interval = prompt["interval"].as_u64().unwrap();
    desk.clock.advance(u32::try_from(interval).unwrap());
    let waiting = desk.send(&poll, &[], Value::Null).await;
    assert_eq!(
        (waiting.status.as_u16(), waiting.json()["interval"].is_u64()),
        (202, true),
        "{}",
        waiting.text
    );

    let address = prompt["verificationUriComplete"].as_str().unwrap();
    Browser::default().approve_device(address, "bob").await.unwrap();
    desk.clock.advance(u32::try_from(interval).unwrap());
    let done = desk.send(&poll, &[], Value::Null).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert!(done.json()["note"].as_str().unwrap().contains("Ask root"), "whom to ask: {}", done.text);
    let token = done.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(desk.call(&token, "GET /whoami", Value::Null).await.json()["name"], "bob");
    for hidden in ["/organisations/default", "/users/root"] {
        assert_eq!(desk.call(&token, &format!("GET {hidden}"), Value::Null).await.status, 404, "{hidden}");
    }
    assert_eq!(desk.send(&poll, &[], Value::Null).await.status, 404, "a handle is good once");
}

#[tokio::test]
async fn a_denied_device_is_told_so() {
    let (desk, _peer) = site(Options::default()).await;
    let prompt = desk.send("POST /login/device", &[], Value::Null).await.json();
    let address = prompt["verificationUriComplete"].as_str().unwrap();
    Browser::default().deny_device(address).await.unwrap();
    desk.clock.advance(60);
    let poll = format!("POST /login/device/{}", prompt["handle"].as_str().unwrap());
    assert_eq!(desk.send(&poll, &[], Value::Null).await.problem(), (403, "forbidden".to_owned()));
}

#[tokio::test]
async fn nobody_becomes_a_user_who_is_there_already_or_may_not_log_in() {
    let (desk, _peer) = site(Options::default()).await;
    desk.user("alice").await;
    let taken = browser(&desk, "alice").await;
    assert_eq!(taken.status, 409, "{}", taken.text);
    assert!(
        taken.text.contains("another user alice") && taken.cookie("__Host-cairn").is_none(),
        "{}",
        taken.text
    );
    assert_eq!(browser(&desk, "bob").await.status, 303);
    let disabled = desk.call(LOCAL, "PATCH /users/bob", json!({"spec": {"disabled": true}})).await;
    assert_eq!(disabled.status, 200, "{}", disabled.text);
    let refused = browser(&desk, "bob").await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    let odd = browser(&desk, "Odd Name!").await;
    assert_eq!(odd.status, 422, "{}", odd.text);
    let log = desk.call(LOCAL, "GET /audit?verb=login", Value::Null).await;
    assert!(log.text.contains("the user is disabled"), "{}", log.text);
}

#[tokio::test]
async fn a_login_that_another_browser_began_is_refused() {
    let (desk, _peer) = site(Options::default()).await;
    let begin = async || desk.send("GET /login/oidc", &[], Value::Null).await;
    let (mine, theirs) = (begin().await, begin().await);
    let back = Browser::default().log_in(mine.headers["location"].to_str().unwrap(), "alice").await.unwrap();
    assert_eq!(come_back(&desk, &theirs, &back).await.status, 401, "login CSRF");
    let query = back.split_once('?').unwrap().1;
    let bare = desk.send(&format!("GET /login/oidc/callback?{query}"), &[], Value::Null).await;
    assert_eq!(bare.status, 401, "{}", bare.text);
    assert_eq!(come_back(&desk, &mine, &back).await.status, 303);
    assert_eq!(come_back(&desk, &mine, &back).await.status, 401, "once");
    let late = begin().await;
    let back = Browser::default().log_in(late.headers["location"].to_str().unwrap(), "alice").await.unwrap();
    desk.clock.advance(600);
    assert_eq!(come_back(&desk, &late, &back).await.status, 401);
}

#[tokio::test]
async fn without_an_issuer_there_is_no_such_login() {
    let desk = Options::default().start().await;
    for line in ["GET /login/oidc", "POST /login/device"] {
        assert_eq!(
            desk.send(line, &[], Value::Null).await.problem(),
            (404, "not-found".to_owned()),
            "{line}"
        );
    }
}
