//! The commands against a real server over TLS: what they print and how they end.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use cairn_cli::{Cli, ClientFile, Context};
use cairn_contract::{Inventory, Timestamp};
use cairn_domain::{Level, Note, State, Why};
use cairn_store::{Change, Installer, InstallerStanding, Whose};
use clap::Parser as _;
use support::Site;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

struct Desk {
    site: Site,
    data: tempfile::TempDir,
}

async fn desk() -> Desk {
    let site = support::site().await;
    let data = tempfile::tempdir().unwrap();
    let file = ClientFile {
        url: format!("https://{}", site.addr),
        ca: site.ca.clone(),
        server_name: "localhost".into(),
        token: support::TOKEN.into(),
    };
    file.save(data.path()).unwrap();
    Desk { site, data }
}

impl Desk {
    /// Output, errors, and the exit code as `Debug` shows it.
    async fn run(&self, line: &str) -> (String, String, u8) {
        run(self.data.path(), line).await
    }

    #[track_caller]
    fn change(&self, change: impl FnOnce(&mut ClientFile)) {
        let mut file = ClientFile::load(self.data.path()).unwrap();
        change(&mut file);
        file.save(self.data.path()).unwrap();
    }
}

async fn run(data: &std::path::Path, line: &str) -> (String, String, u8) {
    let words = ["cairn", "--data", data.to_str().unwrap()].into_iter().chain(line.split_whitespace());
    let cli = Cli::try_parse_from(words).unwrap();
    let (out, err) = (Buffer::default(), Buffer::default());
    let cx = Context::to(&cli.globals, Box::new(out.clone()), Box::new(err.clone()));
    let code = cairn_cli::run(cli.command, cx).await.unwrap();
    let code = (0..=255).find(|n| std::process::ExitCode::from(*n) == code).unwrap();
    (out.text(), err.text(), code)
}

#[tokio::test]
async fn a_host_is_registered_listed_shown_and_removed() {
    let desk = desk().await;
    let (out, err, code) =
        desk.run("host register web-1 --serial SN1 --image tiny --disk-min 20G --disk-transport nvme").await;
    assert_eq!(
        (out.as_str(), err.as_str(), code),
        (
            "Registered web-1. Switch it on and let it boot from the network.\n\
         Watch it: cairn host timeline web-1 --follow\n",
            "",
            0
        )
    );
    let (out, _, _) = desk.run("host ls").await;
    let want = "NAME   STATE       SINCE     IMAGE  TPM       WHY\n\
                web-1  registered  just now  tiny   not seen\n";
    assert_eq!(out, want);
    let (out, _, _) = desk.run("host show web-1").await;
    assert!(out.starts_with("web-1  registered, just now\n"), "{out}");
    assert!(out.contains("  disk         at least 20.0 GB, nvme\n"), "{out}");
    assert!(out.contains("phases\n  registered"), "{out}");
    let (json, _, _) = desk.run("host ls --json").await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["items"][0]["name"], "web-1");
    assert_eq!(desk.run("host rm web-1").await, ("Removed web-1.\n".into(), String::new(), 0));
    assert_eq!(
        desk.run("host ls").await.0,
        "No hosts yet. Register one: cairn host register NAME --serial SERIAL\n"
    );
}

#[tokio::test]
async fn failures_say_what_to_do_and_have_their_codes() {
    let desk = desk().await;
    let (_, err, code) = desk.run("host show nobody").await;
    assert_eq!(
        (err.as_str(), code),
        ("error: There is no host nobody.\ntry: See which there are: cairn host ls\n", 3)
    );
    desk.run("host register web-1 --serial SN1").await;
    let (_, err, code) = desk.run("host register web-1 --serial SN2").await;
    assert!(err.starts_with("error: A host named web-1 exists already.\ntry: "), "{err}");
    assert_eq!(code, 4);
    assert_eq!(desk.run("host accept web-1").await.2, 4);
    desk.change(|file| file.token = "wrong".into());
    let (_, err, code) = desk.run("host ls").await;
    assert!(err.contains("The token is not this site's."), "{err}");
    assert_eq!(code, 6);
}

#[tokio::test]
async fn a_server_that_is_not_there_or_another_is_told_apart_from_a_refusal() {
    let desk = desk().await;
    let other = support::site().await.ca;
    desk.change(|file| file.ca = other);
    let (_, err, code) = desk.run("status").await;
    assert!(
        err.starts_with(&format!("error: cannot reach https://{}: invalid peer certificate", desk.site.addr)),
        "{err}"
    );
    assert_eq!(code, 5);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    desk.change(|file| file.url = format!("https://{free}"));
    let (_, err, code) = desk.run("status").await;
    assert!(err.contains(&format!("cannot reach https://{free}: ")), "{err}");
    assert!(err.contains("try: Is `cairn serve` running there?"), "{err}");
    assert_eq!(code, 5);
    let empty = tempfile::tempdir().unwrap();
    let (_, err, code) = run(empty.path(), "status").await;
    assert!(err.contains("there is no ") && err.contains("cairn init"), "{err}");
    assert_eq!(code, 1);
}

#[tokio::test]
async fn a_followed_timeline_goes_on_and_ends_with_the_host() {
    let desk = desk().await;
    desk.run("host register web-1 --serial SN1").await;
    let id = desk.site.store.host_by_name("web-1").await.unwrap().unwrap().id;
    let note = |text: &str| Note::new(Level::Info, "test.step", text);
    desk.site.store.note(Whose::Host(id), Timestamp(1_000), note("before")).await.unwrap();
    let actions = async {
        for _ in 0..100 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            if desk.site.store.timeline(id, 0, 10).await.unwrap().len() >= 2 {
                break;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        desk.site.store.note(Whose::Host(id), Timestamp(2_000), note("live")).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        desk.run("host rm web-1").await;
    };
    let ((out, err, code), ()) = tokio::join!(desk.run("host timeline web-1 --follow --json"), actions);
    let texts: Vec<String> = out
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap())
        .map(|e| e["text"].as_str().unwrap().to_owned())
        .collect();
    let at = |text: &str| texts.iter().position(|t| t == text);
    assert!(at("before").is_some() && at("before") < at("live"), "{out}");
    assert_eq!(err, "The host was removed.\n");
    assert_eq!(code, 0);
}

#[tokio::test]
async fn a_bundle_is_sent_and_its_kind_told() {
    let desk = desk().await;
    let path = desk.data.path().join("tiny.cairn");
    std::fs::write(&path, [b"bundle".as_slice(), &vec![7; 3_000_000]].concat()).unwrap();
    let (out, err, code) = desk.run(&format!("image add {}", path.display())).await;
    assert_eq!((err.as_str(), code), ("", 0));
    assert!(out.starts_with("Added image tiny version 1 (3.0 MB).\n"), "{out}");
    std::fs::write(&path, b"something else").unwrap();
    let (_, err, code) = desk.run(&format!("installer add {}", path.display())).await;
    assert!(err.contains("not a bundle"), "{err}");
    assert_eq!(code, 1);
    assert_eq!(desk.run("image add /nowhere.cairn").await.2, 1);
}

#[tokio::test]
async fn what_a_machine_says_does_not_steer_the_terminal() {
    let desk = desk().await;
    desk.run("host register web-1 --serial SN1").await;
    let mut host = desk.site.store.host_by_name("web-1").await.unwrap().unwrap();
    let mut inventory =
        Inventory { kernel: "\u{1b}]0;owned\u{7}".into(), cpu_count: 1, ..Inventory::default() };
    inventory.smbios.vendor = "\u{1b}[31mEvil".into();
    host.inventory = Some(inventory);
    host.state = State::Quarantined { why: Why::EvidenceRefused("PCR 4 \u{1b}[2J".into()) };
    desk.site.store.commit(Change::update(host, Timestamp(1))).await.unwrap();
    for line in ["host show web-1", "host ls"] {
        let (out, _, code) = desk.run(line).await;
        assert_eq!(code, 0);
        assert!(out.contains("PCR 4  [2J") && !out.contains('\u{1b}') && !out.contains('\u{7}'), "{out:?}");
    }
    let (_, err, _) = desk.run("host show \u{1b}[2J").await;
    assert!(err.contains("There is no host  [2J.") && !err.contains('\u{1b}'), "{err:?}");
}

#[tokio::test]
async fn the_site_is_told_at_a_glance() {
    let desk = desk().await;
    let (out, _, _) = desk.run("status").await;
    assert!(out.contains("no hosts yet"), "{out}");
    desk.run("host register web-1 --serial SN1").await;
    let now = cairn_store::Clock::now(&cairn_store::SystemClock);
    let mac = "52:54:00:00:00:01".parse().unwrap();
    let note = Note::new(Level::Info, "dhcp.offer", "asked for a boot file");
    desk.site.store.note(Whose::Machine(mac), now, note).await.unwrap();
    let (out, _, _) = desk.run("status").await;
    assert!(out.contains("1 host: 1 registered\n") && out.contains("1 unknown machines knocked"), "{out}");
    let (out, _, _) = desk.run("machine ls").await;
    assert!(out.contains("52:54:00:00:00:01  just now  asked for a boot file"), "{out}");
    for (line, want) in [("image ls", "No images yet."), ("installer ls", "No installers yet.")] {
        assert!(desk.run(line).await.0.starts_with(want));
    }
    let (out, _, _) = desk.run("console").await;
    assert!(out.contains(&format!("https://{}/", desk.site.addr)) && !out.contains(support::TOKEN), "{out}");
    assert_eq!(desk.run("console --token").await.0, format!("{}\n", support::TOKEN));
}

#[tokio::test]
async fn an_installer_is_retired_unless_it_is_served() {
    let desk = desk().await;
    for version in ["1-aa", "2-bb"] {
        let digest = cairn_contract::Digest::of(version.as_bytes());
        let installer = Installer {
            flavour: "lab".into(),
            version: version.into(),
            created: Timestamp(0),
            reference: "{}".into(),
            uki: digest,
            kernel: digest,
            initrd: digest,
            standing: InstallerStanding::Active,
        };
        desk.site.store.add_installer(&installer).await.unwrap();
    }
    let (_, err, code) = desk.run("installer retire lab 2-bb").await;
    assert!(code != 0 && err.contains("is served"), "{code} {err}");
    let (_, err, code) = desk.run("installer retire lab 9").await;
    assert!(code != 0 && err.contains("There is no installer lab 9."), "{code} {err}");
    assert_eq!(desk.run("installer retire lab 1-aa").await.0, "Retired installer lab 1-aa.\n");
    let left = desk.site.store.installers().await.unwrap();
    assert_eq!(left.iter().map(|i| i.version.as_str()).collect::<Vec<_>>(), ["2-bb"]);
}
