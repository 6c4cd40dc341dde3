//! Logging in, contexts, tokens, passwords, the audit log: against a real server.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use cairn_cli::Environment;
use cairn_operator::CodeFile;
use cairn_store::{Clock as _, SystemClock};
use support::{Desk, desk, run};

const PASSWORD: &str = "correct horse battery";

/// Logs the first administrator in, by the code of `cairn init`.
async fn administrator(desk: &Desk) {
    let code = CodeFile::issue(desk.site.dir.path(), SystemClock.now()).unwrap().expose().to_owned();
    let line = format!(
        "login https://{} --code {code} --user root --password-stdin --ca-sha256 {}",
        desk.site.addr, desk.site.ca_sha256
    );
    let out = desk.logged_in(&line, &format!("{PASSWORD}\n")).await.good();
    assert!(out.starts_with("Logged in as root; context 127.0.0.1.\n"), "{out}");
}

#[tokio::test]
async fn a_first_login_makes_a_context_that_works() {
    let desk = desk().await;
    administrator(&desk).await;
    let me = desk.logged_in("whoami", "").await.good();
    assert!(me.starts_with("user root at https://127.0.0.1:"), "{me}");
    assert!(me.contains("  role         admin at the whole appliance\n"), "{me}");
    desk.logged_in("host register web-1 --serial S1", "").await.good();
    let config = std::fs::read_to_string(desk.data.path().join("config.yaml")).unwrap();
    assert!(config.contains("BEGIN CERTIFICATE") && !config.contains(PASSWORD), "{config}");
    let list = desk.logged_in("context ls", "").await.good();
    assert!(list.lines().nth(1).unwrap().starts_with("*  127.0.0.1 "), "{list}");
    desk.logged_in("context set-namespace default.default", "").await.good();
    assert_eq!(desk.logged_in("get hosts -o name", "").await.good(), "host/web-1.default.default\n");
    assert_eq!(desk.logged_in("get host web-1 -o name", "").await.good(), "host/web-1.default.default\n");
    desk.logged_in("context set-namespace default", "").await.good();
    assert_eq!(desk.logged_in("get host web-1 -o name", "").await.good(), "host/web-1.default.default\n");
    desk.logged_in("context set-namespace nowhere", "").await.good();
    desk.logged_in("get host web-1", "").await.bad(3);
    desk.logged_in("context set-namespace a.b.c", "").await.bad(2);
    assert_eq!(desk.logged_in("logout", "").await.good(), "Logged out of 127.0.0.1.\n");
    desk.logged_in("whoami", "").await.bad(6);
    desk.logged_in("context rm 127.0.0.1", "").await.good();
    assert!(desk.logged_in("context ls", "").await.good().starts_with("No contexts yet."));
    desk.logged_in("context use 127.0.0.1", "").await.bad(3);
}

#[tokio::test]
async fn nobody_is_trusted_by_accident() {
    let desk = desk().await;
    let url = format!("https://{}", desk.site.addr);
    let other = "0".repeat(64);
    let line = format!("login {url} --user root --password-stdin --ca-sha256 {other}");
    let err = desk.logged_in(&line, "x\n").await.bad(1);
    assert!(err.contains("another certificate authority") && err.contains(&desk.site.ca_sha256), "{err}");
    let err = desk.logged_in(&format!("login {url} --user root --password-stdin"), "x\n").await.bad(2);
    assert!(err.contains(&desk.site.ca_sha256) && err.contains("--ca-sha256"), "{err}");
    let file = desk.write("ca.pem", &support::site().await.ca);
    let line = format!("login {url} --user root --password-stdin --ca-file {}", file.display());
    desk.logged_in(&line, "x\n").await.bad(5);
    let line = format!("login {url} --user root --password-stdin --ca-sha256 {}", desk.site.ca_sha256);
    let err = desk.logged_in(&line, "wrong password 1\n").await.bad(6);
    assert!(err.contains("password is wrong"), "{err}");
    assert!(!desk.data.path().join("config.yaml").exists());
}

#[tokio::test]
async fn a_token_works_where_it_holds_and_ends_when_it_is_revoked() {
    let desk = desk().await;
    desk.tree().await;
    let said = desk.run("token create ci --role viewer --at site/north -n retail.acme --expires 2d").await;
    let secret = said.out.trim().to_owned();
    assert!(said.code == 0 && said.err.contains("not shown again") && secret.len() > 20, "{said:?}");
    let environment = |token: &str| {
        let file = desk.write("ca.pem", &desk.site.ca);
        Environment::default().with_server(format!("https://{}", desk.site.addr), file, token)
    };
    let words = ["cairn", "get", "sites", "-o", "name"];
    let out = run(words, environment(&secret), "").await.good();
    assert_eq!(out, "site/north.retail.acme\n");
    run(["cairn", "label", "site", "north", "a=b"], environment(&secret), "").await.bad(6);
    let list = desk.run("token ls -n retail.acme").await.good();
    assert!(list.contains("ci") && list.contains("site/north") && !list.contains(&secret), "{list}");
    assert_eq!(desk.run("token revoke ci -n retail.acme").await.good(), "Revoked token ci.\n");
    run(words, environment(&secret), "").await.bad(6);
}

#[tokio::test]
async fn a_password_is_changed_and_all_of_it_is_in_the_audit_log() {
    let desk = desk().await;
    administrator(&desk).await;
    let alice = "apiVersion: cairn/v1\nkind: User\nmetadata: {name: alice}\nspec: {displayName: Alice}\n";
    let file = desk.write("alice.yaml", alice);
    desk.logged_in(&format!("apply -f {}", file.display()), "").await.good();
    desk.logged_in("passwd alice --password-stdin", "a long walk home\n").await.good();
    let err = desk.logged_in("passwd --password-stdin", "not it at all\na longer walk home\n").await.bad(6);
    assert!(!err.contains("walk"), "{err}");
    desk.logged_in("passwd --password-stdin", &format!("{PASSWORD}\na longer walk home\n")).await.good();
    desk.logged_in("whoami", "").await.good();
    let log = desk.logged_in("audit ls --actor root", "").await.good();
    for word in ["password.set", "user/alice", "login"] {
        assert!(log.contains(word), "{word} {log}");
    }
    assert!(!log.contains("walk"), "{log}");
    let last = desk.logged_in("audit ls --limit 1", "").await.good();
    assert_eq!(last.lines().count(), 2, "{last}");
    assert!(desk.logged_in("audit verify", "").await.good().starts_with("The audit log is whole: "));
    let export = desk.logged_in("audit export", "").await.good();
    let lines: Vec<serde_json::Value> = export.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(lines.len() >= 4 && lines.iter().all(|l| l["hash"].is_string()), "{export}");
    let file = desk.data.path().join("audit.ndjson");
    desk.logged_in(&format!("audit export -f {}", file.display()), "").await;
    // The first export is in the second.
    assert!(std::fs::read_to_string(file).unwrap().lines().count() >= lines.len());
}
