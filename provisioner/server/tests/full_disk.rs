//! A full disk below SQLite: writes are refused with what to do, reads go on, nothing is half-written, and writing returns with the
//! room. The disk is a small tmpfs of a mount namespace of this test's own: it needs root, as CI and the container have.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use std::{collections::BTreeSet, fs, path::Path};

use http::Method;
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};
use serde_json::{Value, json};
use support::{PROJECT, Site, name, path, refused};

/// A tmpfs on `folder` that this thread and its children see, and nobody else.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(folder: &'a Path) -> Self {
        unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace: run this test as root");
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), Some("size=8m")).unwrap();
        Self(folder)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = umount2(self.0, MntFlags::MNT_DETACH);
    }
}

fn fat(name: &str) -> Value {
    let mut host = support::host(name);
    host["metadata"]["annotations"] = json!({ "note": "x".repeat(40_000) });
    host
}

// One thread: a mount namespace is a thread's.
#[tokio::test(flavor = "current_thread")]
async fn a_full_disk_refuses_writes_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(folder.path());
    let mut site = Site::init(folder.path().join("site"), "");
    let ballast = folder.path().join("ballast");
    fs::write(&ballast, vec![1; 4 << 20]).unwrap();
    site.serve();
    let mut client = site.client();
    let mut accepted = BTreeSet::new();
    let mut refused_with = None;
    for number in 0..400 {
        let host = format!("fat-{number}");
        let answer = client.send(Method::POST, "/api/v1/hosts", Some(fat(&host))).await;
        if answer.is_success() {
            accepted.insert(host);
        } else {
            refused_with = Some(answer);
            break;
        }
    }
    let Some(support::Answer::Came { status, body, .. }) = &refused_with else { panic!("it never got full") };
    println!("full after {} hosts: {status} {body}", accepted.len());
    assert_eq!(status.as_u16(), 507, "{body}");
    assert_eq!(body["type"], "urn:cairn:problem:no-space");
    assert!(body["next"].as_str().unwrap().contains("Make room"), "{body}");
    assert!(accepted.len() > 5);

    let listed = |all: Vec<Value>| all.iter().map(name).collect::<BTreeSet<_>>();
    assert_eq!(listed(client.all_of("hosts").await), accepted, "reads go on; what was refused is not there");
    let key = format!("/api/v1/hosts/fat-0.{PROJECT}");
    assert!(client.send(Method::GET, &key, None).await.is_success());
    let said = refused(&["backup", "--data", path(&site.dir)]);
    println!("backup on a full disk: {said}");
    assert!(said.contains("full"), "{said}");
    let left = fs::read_dir(site.dir.join("backups"))
        .map(|e| e.filter(|e| e.as_ref().unwrap().path().is_dir()).count());
    assert_eq!(left.unwrap_or(0), 0, "nothing half-made takes the last room");
    assert!(site.is_running());

    fs::remove_file(&ballast).unwrap();
    for number in 0..5 {
        let host = format!("room-{number}");
        let answer = client.send(Method::POST, "/api/v1/hosts", Some(fat(&host))).await;
        assert!(answer.is_success(), "{answer:?}");
        accepted.insert(host);
    }
    let log = client.audit().await;
    let created: Vec<_> = log.iter().filter(|e| e["verb"] == "create" && e["outcome"] == "done").collect();
    assert_eq!(created.len(), accepted.len(), "each deed once");
    site.kill();
    site.serve();
    assert_eq!(listed(site.client().all_of("hosts").await), accepted);
    site.stop();
    drop(disk);
}
