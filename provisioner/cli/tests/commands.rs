//! The short forms against a real server over TLS: what they print and how they end.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use cairn_contract::{Inventory, Timestamp};
use cairn_domain::{Level, Note, State, Why};
use cairn_store::{Change, Installer, InstallerStanding, Whose};
use support::{TOKEN, desk, run_in};

#[tokio::test]
async fn a_host_is_registered_listed_shown_and_removed() {
    let desk = desk().await;
    let said = desk
        .run("host register web-1 --serial SN1 --image tiny --label role=web --disk-min 20G --disk-transport nvme")
        .await;
    assert_eq!(
        said.good(),
        "Registered web-1. Switch it on and let it boot from the network.\n\
         Watch it: cairn host timeline web-1 --follow\n"
    );
    let out = desk.run("host ls").await.good();
    let (head, row) = out.split_once('\n').unwrap();
    assert_eq!(head, "NAME   SITE  PHASE       SINCE  IMAGE  WHY");
    assert!(row.starts_with("web-1  main  registered  ") && row.trim_end().ends_with("s     tiny"), "{row}");
    let out = desk.run("host show web-1").await.good();
    assert!(out.starts_with("web-1  registered, just now\n"), "{out}");
    for line in
        ["  disk         at least 20.0 GB, nvme\n", "  site         main\n", "  labels       role=web\n"]
    {
        assert!(out.contains(line), "{line}{out}");
    }
    assert!(out.contains("phases\n  registered"), "{out}");
    let json = desk.run("host ls --state registered --json").await.json();
    assert_eq!(json["items"][0]["metadata"]["name"], "web-1");
    assert_eq!(desk.run("host rm web-1").await.good(), "Removed web-1.\n");
    assert_eq!(
        desk.run("host ls").await.good(),
        "No hosts yet. Register one: cairn host register NAME --serial SERIAL\n"
    );
}

#[tokio::test]
async fn failures_say_what_to_do_and_have_their_codes() {
    let desk = desk().await;
    let err = desk.run("host show nobody").await.bad(3);
    assert!(err.starts_with("error: ") && err.contains("nobody") && err.contains("\ntry: "), "{err}");
    desk.run("host register web-1 --serial SN1").await.good();
    let err = desk.run("host register web-1 --serial SN2").await.bad(4);
    assert!(err.contains("web-1") && err.contains("\ntry: "), "{err}");
    desk.run("host accept web-1").await.bad(4);
    let problem = desk.run("host accept web-1 -o json").await.bad(4);
    let problem: serde_json::Value = serde_json::from_str(&problem).unwrap();
    assert_eq!(
        (&problem["type"], &problem["status"]),
        (&"urn:cairn:problem:wrong-state".into(), &409.into())
    );
    assert!(desk.run("get hots").await.bad(2).contains("Did you mean hosts?"));
    desk.change(|file| file.token = "wrong".into());
    desk.run("host ls").await.bad(6);
}

#[tokio::test]
async fn a_server_that_is_not_there_or_another_is_told_apart_from_a_refusal() {
    let desk = desk().await;
    let other = support::site().await.ca;
    desk.change(|file| file.ca = other);
    let err = desk.run("status").await.bad(5);
    let want = format!("error: cannot reach https://{}: invalid peer certificate", desk.site.addr);
    assert!(err.starts_with(&want), "{err}");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    desk.change(|file| file.url = format!("https://{free}"));
    let err = desk.run("status").await.bad(5);
    assert!(err.contains(&format!("cannot reach https://{free}: ")), "{err}");
    assert!(err.contains("try: Is `cairn serve` running there?"), "{err}");
    let empty = tempfile::tempdir().unwrap();
    let err = run_in(empty.path(), &["status"]).await.bad(1);
    assert!(err.contains("there is no ") && err.contains("cairn login"), "{err}");
}

#[tokio::test]
async fn a_followed_timeline_goes_on_and_ends_with_the_host() {
    let desk = desk().await;
    desk.run("host register web-1 --serial SN1").await.good();
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
        desk.run("host rm web-1").await.good();
    };
    let (said, ()) = tokio::join!(desk.run("host timeline web-1 --follow --json"), actions);
    let texts: Vec<String> = said
        .out
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap())
        .map(|e| e["text"].as_str().unwrap().to_owned())
        .collect();
    let at = |text: &str| texts.iter().position(|t| t == text);
    assert!(at("before").is_some() && at("before") < at("live"), "{}", said.out);
    assert_eq!((said.err.as_str(), said.code), ("The host was removed.\n", 0));
}

#[tokio::test]
async fn a_bundle_is_sent_and_its_kind_told() {
    let desk = desk().await;
    let path = desk.data.path().join("tiny.cairn");
    std::fs::write(&path, [b"bundle".as_slice(), &vec![7; 3_000_000]].concat()).unwrap();
    let out = desk.run(&format!("image add {}", path.display())).await.good();
    assert!(out.starts_with("Added image tiny version 1 (3.0 MB).\n"), "{out}");
    std::fs::write(&path, b"something else").unwrap();
    let err = desk.run(&format!("installer add {}", path.display())).await.bad(1);
    assert!(err.contains("not a bundle"), "{err}");
    desk.run("image add /nowhere.cairn").await.bad(1);
}

#[tokio::test]
async fn what_a_machine_says_does_not_steer_the_terminal() {
    let desk = desk().await;
    desk.run("host register web-1 --serial SN1").await.good();
    let mut host = desk.site.store.host_by_name("web-1").await.unwrap().unwrap();
    let mut inventory =
        Inventory { kernel: "\u{1b}]0;owned\u{7}".into(), cpu_count: 1, ..Inventory::default() };
    inventory.smbios.vendor = "\u{1b}[31mEvil".into();
    host.inventory = Some(inventory);
    host.state = State::Quarantined { why: Why::EvidenceRefused("PCR 4 \u{1b}[2J".into()) };
    desk.site.store.commit(Change::update(host, Timestamp(1))).await.unwrap();
    let mut seen = String::new();
    for _ in 0..100 {
        seen = desk.run("host ls").await.good();
        if seen.contains("quarantined") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(seen.contains("quarantined"), "{seen}");
    for line in ["host show web-1", "host ls", "describe host web-1", "get hosts -o wide"] {
        let out = desk.run(line).await.good();
        assert!(
            out.contains("PCR 4  [2J") && !out.contains('\u{1b}') && !out.contains('\u{7}'),
            "{line} {out:?}"
        );
    }
    let err = desk.run("host show \u{1b}[2J").await.bad(3);
    assert!(!err.contains('\u{1b}'), "{err:?}");
}

#[tokio::test]
async fn the_site_is_told_at_a_glance() {
    let desk = desk().await;
    let out = desk.run("status").await.good();
    assert!(out.contains("no hosts yet"), "{out}");
    desk.run("host register web-1 --serial SN1").await.good();
    let now = cairn_store::Clock::now(&cairn_store::SystemClock);
    let mac = "52:54:00:00:00:01".parse().unwrap();
    let note = Note::new(Level::Info, "dhcp.offer", "asked for a boot file");
    desk.site.store.note(Whose::Machine(mac), now, note).await.unwrap();
    let out = desk.run("status").await.good();
    assert!(out.contains("1 host: 1 registered\n") && out.contains("1 unknown machines knocked"), "{out}");
    let out = desk.run("machine ls").await.good();
    assert!(out.contains("52:54:00:00:00:01  just now  asked for a boot file"), "{out}");
    for (line, want) in [("image ls", "No images yet."), ("installer ls", "No installers yet.")] {
        assert!(desk.run(line).await.good().starts_with(want));
    }
    let out = desk.run("console").await.good();
    assert!(out.contains(&format!("https://{}/", desk.site.addr)) && !out.contains(TOKEN), "{out}");
    assert_eq!(desk.run("console --token").await.good(), format!("{TOKEN}\n"));
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
    let said = desk.run("installer retire lab 2-bb").await;
    assert!(said.code != 0 && said.err.contains("is served"), "{said:?}");
    let said = desk.run("installer retire lab 9").await;
    assert!(said.code != 0 && said.err.contains("lab 9"), "{said:?}");
    assert_eq!(desk.run("installer retire lab 1-aa").await.good(), "Retired installer lab 1-aa.\n");
    let left = desk.site.store.installers().await.unwrap();
    assert_eq!(left.iter().map(|i| i.version.as_str()).collect::<Vec<_>>(), ["2-bb"]);
}
