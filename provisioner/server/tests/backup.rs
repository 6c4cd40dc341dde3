//! Backups of a live server, restored elsewhere, equal; killed in the midst, nothing half-made passes for whole. Tables moved from
//! one engine to the other and back, equal.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use std::{
    fs,
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use cairn_postgres::Postgres;
use http::Method;
use serde_json::{Value, json};
use support::{PROJECT, Site, command, done, host, path, refused};
use tokio::task::JoinSet;

/// A tree, some hundred hosts, a user, a token, and what they leave in the log.
async fn fill(site: &Site, hosts: usize) {
    let mut client = site.client();
    let docs: Vec<Value> = (0..hosts).map(|n| host(&format!("till-{n}"))).collect();
    for part in docs.chunks(100) {
        for doc in part {
            let made = client.send(Method::POST, "/api/v1/hosts", Some(doc.clone())).await;
            assert!(made.is_success(), "{made:?}");
        }
    }
    let post = |kind: &str, namespace: &str, name: &str, spec: Value| json!({ "apiVersion": "cairn/v1", "kind": kind, "metadata": { "name": name, "namespace": namespace }, "spec": spec });
    for (plural, body) in [
        ("regions", post("Region", PROJECT, "north", json!({}))),
        ("sites", post("Site", PROJECT, "store-1", json!({ "region": "north" }))),
        ("users", post("User", "", "alice", json!({}))),
        ("policies", post("Policy", PROJECT, "quick", json!({ "priority": 5 }))),
    ] {
        let made = client.send(Method::POST, &format!("/api/v1/{plural}"), Some(body)).await;
        assert!(made.is_success(), "{plural}: {made:?}");
    }
    site.cairn(&["token", "create", "ci", "--role", "viewer"]);
    let labelled = client.label("till-0", "role", "pos").await;
    assert!(labelled.is_success(), "{labelled:?}");
}

fn version(object: &Value) -> i64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

/// Registers hosts until it is told to stop, or nobody answers.
fn writer(tasks: &mut JoinSet<()>, site: &Site, stop: &Arc<AtomicBool>, written: &Arc<AtomicUsize>) {
    let (mut client, stop, written) = (site.client(), Arc::clone(stop), Arc::clone(written));
    tasks.spawn(async move {
        while !stop.load(Ordering::Relaxed) {
            let number = written.load(Ordering::Relaxed);
            let answer = client.register(&format!("live-{number}")).await;
            if answer.status() == 0 {
                return;
            }
            assert!(matches!(answer.status(), 201 | 429), "{answer:?}");
            written.fetch_add(1, Ordering::Relaxed);
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_site_is_backed_up_and_comes_back_equal_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let roots = dir.path().join("roots.pem");
    let mut site = Site::init(dir.path().join("site"), "");
    fs::copy(site.dir.join("keys/site-ca.crt"), &roots).unwrap();
    let toml = site.dir.join("cairn.toml");
    let text = fs::read_to_string(&toml).unwrap().replace("roots = []", &format!("roots = [{roots:?}]"));
    fs::write(&toml, text).unwrap();
    let blob = cairn_contract::Digest::of(b"an image");
    let folder = site.dir.join("blobs/sha256").join(&blob.to_string()[..2]);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(blob.to_string()), b"an image").unwrap();
    site.serve();
    fill(&site, 120).await;

    let (mut tasks, stop, written) = (JoinSet::new(), Arc::default(), Arc::new(AtomicUsize::new(0)));
    writer(&mut tasks, &site, &stop, &written);
    while written.load(Ordering::Relaxed) < 5 {
        tokio::task::yield_now().await;
    }
    let to = dir.path().join("elsewhere/monday");
    let made: Value = serde_json::from_str(&site.cairn(&["backup", path(&to), "--json"])).unwrap();
    let during = written.load(Ordering::Relaxed);
    stop.store(true, Ordering::Relaxed);
    while tasks.join_next().await.is_some_and(|done| done.map(|()| true).unwrap()) {}
    println!("backed up while hosts came: {during} before its end; {made}");
    assert_eq!(made["path"], path(&to));
    assert_eq!(made["blobs"], 1);
    for private in ["backup.json", "cairn.toml", "keys/site-ca.key", "tables.zst"] {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(to.join(private).metadata().unwrap().permissions().mode() & 0o777, 0o600, "{private}");
    }
    let revision = made["revision"].as_i64().unwrap();
    let mut client = site.client();
    let expected: Vec<Value> =
        client.everything().await.into_iter().filter(|o| version(o) <= revision).collect();
    let log = client.audit().await;
    let deed = log.iter().find(|e| e["verb"] == "backup").unwrap();
    assert_eq!((&deed["actor"]["name"], &deed["outcome"]), (&json!("setup"), &json!("done")));
    site.stop();
    fs::remove_file(&roots).unwrap();

    let said = done(&["restore", path(&to), "--data", path(&dir.path().join("new"))]);
    assert!(said.contains("The audit log is whole"), "{said}");
    let mut new = Site::at(dir.path().join("new"));
    new.serve();
    let mut client = new.client();
    let restored = client.everything().await;
    assert!(restored.len() > 125, "{}", restored.len());
    assert_eq!(restored, expected);
    let new_log = client.audit().await;
    let (last, rest) = new_log.split_last().unwrap();
    assert_eq!(last["verb"], "restore");
    assert_eq!(rest, log.get(..rest.len()).unwrap(), "the log goes on where it was");
    let kept = new.dir.join("blobs/sha256").join(&blob.to_string()[..2]).join(blob.to_string());
    assert_eq!(fs::read(kept).unwrap(), b"an image");
    assert!(client.register("after").await.is_success());
    assert!(new.cairn(&["backup", "ls"]).contains("No backups"));
}

/// What is spoilt, how, and what is said of it.
type Case<'a> = (&'a str, &'a dyn Fn(&Path), &'a str);

#[tokio::test]
async fn what_is_no_whole_backup_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::init(dir.path().join("site"), "");
    let good = dir.path().join("good");
    site.cairn(&["backup", path(&good)]);
    let target = dir.path().join("target");
    let restore = |from: &Path| refused(&["restore", path(from), "--data", path(&target)]);
    let spoilt = |what: &str, spoil: &dyn Fn(&Path)| {
        let copy = dir.path().join(what);
        let copied = std::process::Command::new("cp").arg("-r").arg(&good).arg(&copy).status().unwrap();
        assert!(copied.success());
        spoil(&copy);
        copy
    };
    let cut = |file: &'static str| {
        move |folder: &Path| {
            let path = folder.join(file);
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() - 7]).unwrap();
        }
    };
    let changed = |from: &'static str, to: &'static str| {
        move |folder: &Path| {
            let path = folder.join("backup.json");
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from));
            fs::write(&path, text.replacen(from, to, 1)).unwrap();
        }
    };
    let cases: [Case<'_>; 8] = [
        ("tables", &cut("tables.zst"), "tables.zst is damaged or not complete; take another backup"),
        ("list", &cut("backup.json"), "backup.json is damaged or not complete"),
        ("key", &cut("keys/db.key"), "keys/db.key is damaged"),
        (
            "no-key",
            &|f| fs::remove_file(f.join("keys/db.key")).unwrap(),
            "keys/db.key is damaged or not complete",
        ),
        ("unfinished", &|f| fs::remove_file(f.join("backup.json")).unwrap(), "was never finished"),
        ("newer", &changed("cairn-site/1", "cairn-site/2"), "use a newer version of cairn"),
        ("escape", &changed("client.json", "../client.json"), "that is no backup of cairn"),
        ("other", &changed("\"revision\": ", "\"revision\": 9"), "of several backups"),
    ];
    for (what, spoil, words) in cases {
        let said = restore(&spoilt(what, spoil));
        assert!(said.contains(words), "{what}: {said}");
        assert!(!target.join("cairn.toml").exists(), "{what}");
    }
    // In the tables' midst: the SHA-256 at their end does not hold.
    let flipped = spoilt("flipped", &|folder| {
        let path = folder.join("tables.zst");
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
    });
    let said = restore(&flipped);
    assert!(said.contains("nothing was restored. Copy the backup again"), "{said}");
    done(&["restore", path(&good), "--data", path(&target)]);
    let said = restore(&good);
    assert!(said.contains("is not empty"), "{said}");
    assert!(refused(&["backup", path(&good), "--data", path(&site.dir)]).contains("already"));
}

#[tokio::test]
async fn a_backup_killed_in_the_midst_does_not_pass_for_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::init(dir.path().join("site"), "");
    site.serve();
    fill(&site, 300).await;
    let (mut whole, mut none) = (0, 0);
    for (round, delay) in [1, 4, 10, 20, 40, 1500].into_iter().enumerate() {
        let name = format!("kill-{round}");
        let words = ["backup", "--name", &name, "--data", path(&site.dir)];
        let mut child = command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let folder = site.dir.join("backups");
        // From the moment at which the server begins.
        let begun = || folder.join(format!(".{name}.part")).exists() || folder.join(&name).exists();
        while !begun() {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_millis(delay));
        site.kill();
        child.wait().unwrap();
        let target = dir.path().join(&name);
        if folder.join(&name).exists() {
            whole += 1;
            done(&["restore", path(&folder.join(&name)), "--data", path(&target)]);
        } else {
            none += 1;
            let part = folder.join(format!(".{name}.part"));
            if !part.join("backup.json").exists() {
                assert!(refused(&["restore", path(&part), "--data", path(&target)]).contains("no backup"));
            }
        }
        site.serve();
        assert!(!site.cairn(&["backup", "ls"]).contains(".part"));
    }
    println!("server killed in 6 backups: {whole} whole, {none} not there");
    assert!(none > 0 && whole > 0, "{none} were killed in their midst, {whole} after it");
    site.cairn(&["backup", "--name", "last"]);
    let parts = fs::read_dir(site.dir.join("backups")).unwrap();
    assert!(
        parts.filter(|e| e.as_ref().unwrap().path().extension().is_some()).count() == 0,
        "left-overs are gone"
    );
}

#[tokio::test]
async fn a_restore_killed_in_the_midst_does_not_pass_for_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::init(dir.path().join("site"), "");
    site.serve();
    fill(&site, 300).await;
    site.cairn(&["backup", "--name", "last"]);
    let expected = site.client().everything().await;
    site.stop();

    let last = site.dir.join("backups/last");
    let mut unfinished = 0;
    for (round, delay) in [5, 40, 80, 120, 160, 220, 300].into_iter().enumerate() {
        let target = dir.path().join(format!("restore-{round}"));
        let words = ["restore", path(&last), "--data", path(&target)];
        let mut child = command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        if !target.join("cairn.toml").exists() {
            unfinished += 1;
            if target.join("restore.unfinished").exists() {
                for words in [&["serve"][..], &["init", "--address", "127.0.0.1"], &["backup"]] {
                    let said = refused(&[words, &["--data", path(&target)]].concat());
                    assert!(said.contains("interrupted") || words == ["backup"], "{said}");
                }
            }
            done(&words);
        }
        let mut restored = Site::at(target);
        restored.serve();
        assert_eq!(restored.client().everything().await, expected, "round {round}");
    }
    println!("7 restores killed: {unfinished} of them before the end");
    assert!(unfinished > 0);
}

#[tokio::test]
async fn tables_move_to_postgresql_and_back_and_are_equal() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = Postgres::start().unwrap();
    let url = postgres.database().await.unwrap();
    let mut site = Site::init(dir.path().join("site"), "# mine\n");
    site.serve();
    fill(&site, 150).await;
    let expected = site.client().everything().await;
    let log = site.client().audit().await;
    let data = path(&site.dir).to_owned();
    let to_postgres = ["migrate", "--data", &data, "--from", "sqlite", "--to", &url];
    let said = refused(&to_postgres);
    assert!(said.contains("Stop the server first"), "{said}");
    site.stop();
    assert!(refused(&["migrate", "--data", &data, "--to", "sqlite"]).contains("there already"));
    assert!(refused(&["migrate", "--data", &data, "--from", "postgres", "--to", &url]).contains("in sqlite"));
    let nobody = url.replace("/test_1?", "/nobody?");
    assert!(refused(&["migrate", "--data", &data, "--to", &nobody]).contains("nothing was moved"));

    println!("{}", done(&to_postgres));
    let text = fs::read_to_string(site.dir.join("cairn.toml")).unwrap();
    assert!(text.starts_with("# mine\n") && text.contains(&format!("\ndatabase = \"{url}\"\n")), "{text}");
    let text = fs::read(site.dir.join("cairn.db")).unwrap();
    assert!(text.len() > 100_000, "the old one stays");
    site.serve();
    assert_eq!(site.client().everything().await, expected);
    assert_eq!(site.client().audit().await, log);
    let (mut client, name) = (site.client(), "in-postgres");
    assert!(client.register(name).await.is_success());
    let expected = client.everything().await;
    let log = client.audit().await;
    let back = ["migrate", "--data", &data, "--to", "sqlite", "--json"];
    assert!(refused(&back).contains("Stop the server first"));
    site.kill();
    // What a killed one leads, it leads a few seconds more.
    let said = refused(&back);
    assert!(said.contains("works on the database") && said.contains("10 seconds"), "{said}");
    let moved = wait_for(|| support::run(&back)).await;
    println!("{}", support::said(&moved));
    site.serve();
    assert_eq!(site.client().everything().await, expected);
    assert_eq!(site.client().audit().await, log);
    let kept = fs::read_dir(&site.dir).unwrap();
    assert!(
        kept.filter(|e| e.as_ref().unwrap().path().to_str().unwrap().contains("cairn.db.before-")).count()
            > 0
    );
    assert!(refused(&["restore", "x", "--data", &data]).contains("no backup"));

    // And a backup of SQLite goes into PostgreSQL.
    let backup = dir.path().join("backup");
    site.cairn(&["backup", path(&backup)]);
    let other = postgres.database().await.unwrap();
    let target = dir.path().join("target");
    let into = |database: &str| {
        ["restore", path(&backup), "--data", path(&target), "--database", database].map(str::to_owned)
    };
    let refuse = into(&url);
    let said = refused(&refuse.each_ref().map(String::as_str));
    assert!(said.contains("Make an empty database"), "{said}");
    let take = into(&other);
    done(&take.each_ref().map(String::as_str));
    let mut new = Site::at(target.clone());
    new.serve();
    assert_eq!(new.client().everything().await, expected);
}

async fn wait_for(mut run: impl FnMut() -> std::process::Output) -> std::process::Output {
    for _ in 0..60 {
        let output = run();
        if output.status.success() {
            return output;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("{}", support::said(&run()));
}
