//! The verbs over resources against a real server: get, apply, diff, edit, label, delete, explain, move, import, watch.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use std::{os::unix::fs::PermissionsExt as _, time::Duration};

use cairn_cli::Environment;
use support::{Desk, desk, run, run_in};

const POLICY: &str = "apiVersion: cairn/v1\nkind: Policy\nmetadata:\n  name: strict\n  namespace: retail.acme\nspec:\n  \
    target: {kind: Region, name: eu}\n  boot:\n    maxAttempts: 7\n";

async fn shop() -> Desk {
    let desk = desk().await;
    desk.tree().await;
    for (name, site) in [("till-1", "north"), ("till-2", "south")] {
        desk.run(&format!("host register {name} --serial SN-{name} --site {site} -n retail.acme"))
            .await
            .good();
    }
    desk
}

#[tokio::test]
async fn what_is_applied_is_listed_and_selected() {
    let desk = shop().await;
    let tree = desk.data.path().join("tree.yaml");
    let again = desk.run(&format!("apply -f {}", tree.display())).await.good();
    assert!(again.lines().all(|l| l.ends_with(" unchanged")), "{again}");
    let sites = desk.run("get sites -n acme").await.good();
    assert!(sites.starts_with("NAME   REGION  TIME ZONE"), "{sites}");
    assert!(desk.run("get sites -A").await.good().starts_with("NAMESPACE "));
    assert_eq!(
        desk.run("label region berlin tier=gold").await.good(),
        "region/berlin.retail.acme labelled\n"
    );
    assert_eq!(desk.run("get hosts -l tier=gold -o name").await.good(), "host/till-1.retail.acme\n");
    let out = desk.run("get hosts -n retail.acme -o jsonpath={.items[*].metadata.name}").await.good();
    assert_eq!(out, "till-1 till-2\n");
    assert_eq!(desk.run("get host till-2 -o jsonpath={.spec.site}").await.good(), "south\n");
    let filtered = "get hosts --field-selector spec.site=south -o name";
    assert_eq!(desk.run(filtered).await.good(), "host/till-2.retail.acme\n");
    let both = desk.run("get sites,regions -n retail.acme").await.good();
    assert!(both.starts_with("sites\nNAME ") && both.contains("\n\nregions\nNAME "), "{both}");
    let said = desk.run("get hosts -n retail.acme --limit 1").await;
    assert_eq!((said.out.lines().count(), said.code), (2, 0), "{said:?}");
    assert!(said.err.contains("There are more"), "{}", said.err);
    assert!(desk.run("get policies").await.good().starts_with("No policies here"));
    let yaml = desk.run("get site north -o yaml").await.good();
    let path = desk.write("north.yaml", &yaml);
    let out = desk.run(&format!("apply -f {}", path.display())).await.good();
    assert!(out.starts_with("site/north.retail.acme "), "{out}");
}

#[tokio::test]
async fn a_dry_run_says_which_hosts_it_would_touch() {
    let desk = shop().await;
    let path = desk.write("policy.yaml", POLICY);
    let out = desk.run(&format!("apply -f {} --dry-run", path.display())).await.good();
    assert!(out.starts_with("policy/strict.retail.acme created (dry run)\n  touches 2 hosts\n"), "{out}");
    assert!(
        out.contains("till-1.retail.acme, till-2.retail.acme\n      policies.boot.maxAttempts: 3 -> 7\n"),
        "{out}"
    );
    assert!(desk.run("get policies").await.good().starts_with("No policies here"));
    desk.run(&format!("apply -f {}", path.display())).await.good();
    assert_eq!(desk.run(&format!("diff -f {}", path.display())).await.good(), "Nothing would change.\n");
    let changed = desk.write("changed.yaml", &POLICY.replace("maxAttempts: 7", "maxAttempts: 8"));
    let said = desk.run(&format!("diff -f {} --exit-code", changed.display())).await;
    assert_eq!((said.code, said.err.as_str()), (1, ""), "{said:?}");
    assert!(said.out.contains("  ~ spec.boot.maxAttempts: 7 -> 8\n"), "{}", said.out);
    let out = desk.run("delete policy strict --dry-run").await.good();
    assert!(out.starts_with("policy/strict.retail.acme deleted (dry run)\n  touches 2 hosts\n"), "{out}");
    let out = desk.run("label region eu tier=gold --dry-run").await.good();
    assert!(out.contains("(dry run)") && out.contains("touches 2 hosts"), "{out}");
    let out = desk.run("explain host till-1").await.good();
    let line = out.lines().find(|l| l.contains("maxAttempts")).unwrap_or_default();
    assert!(line.contains('7') && line.contains("policy/strict"), "{out}");
}

#[tokio::test]
async fn what_is_wrong_in_a_file_is_told_with_its_place() {
    let desk = shop().await;
    let text =
        format!("{POLICY}---\n{}", POLICY.replace("name: strict", "name: slip").replace("boot:", "boots:"));
    let path = desk.write("slip.yaml", &text);
    let said = desk.run(&format!("apply -f {}", path.display())).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("policy/strict.retail.acme created\n"), "{}", said.out);
    assert!(
        said.out.contains("policy/slip.retail.acme failed\n") && said.out.contains("boots"),
        "{}",
        said.out
    );
    assert!(
        said.err.contains("1 of 2 failed") && said.err.contains("slip.yaml, document 2, line 11"),
        "{}",
        said.err
    );
    let path = desk.write("bomb.yaml", "a: &a [x,x]\nb: [*a, *a\n");
    let err = desk.run(&format!("apply -f {}", path.display())).await.bad(1);
    assert!(err.contains("bomb.yaml: document 1, line "), "{err}");
}

#[tokio::test]
async fn labels_are_not_replaced_by_accident() {
    let desk = shop().await;
    desk.run("label host till-1 role=pos").await.good();
    let err = desk.run("label host till-1 role=kiosk").await.bad(4);
    assert!(err.contains("has role=pos already") && err.contains("--overwrite"), "{err}");
    desk.run("label host/till-1 role=kiosk --overwrite").await.good();
    assert_eq!(desk.run("get host till-1 -o jsonpath={.metadata.labels.role}").await.good(), "kiosk\n");
    desk.run("label host till-1 role-").await.good();
    assert_eq!(desk.run("get host till-1 -o jsonpath={.metadata.labels.role}").await.good(), "");
    assert_eq!(desk.run("annotate site north note=desk").await.good(), "site/north.retail.acme annotated\n");
    assert!(desk.run("label host till-1").await.bad(2).contains("what to change"));
}

/// An editor that runs a script of sed on the file.
fn editor(desk: &Desk, script: &str) -> Environment {
    let path = desk.write("editor.sh", &format!("#!/bin/sh\nset -e\n{script}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    desk.environment().with_editor(path.to_str().unwrap())
}

async fn edit(desk: &Desk, script: &str, words: &[&str]) -> support::Said {
    let data = desk.data.path().to_str().unwrap();
    let all = ["cairn", "--data", data, "edit"].into_iter().chain(words.iter().copied());
    run(all, editor(desk, script), "").await
}

#[tokio::test]
async fn an_edit_changes_what_was_edited_and_keeps_a_refused_text() {
    let desk = shop().await;
    let said =
        edit(&desk, "sed -i 's/timezone: .*/timezone: Europe\\/Oslo/' \"$1\"", &["site", "north"]).await;
    assert_eq!(said.good(), "site/north.retail.acme edited\n");
    assert_eq!(desk.run("get site north -o jsonpath={.spec.timezone}").await.good(), "Europe/Oslo\n");
    assert_eq!(edit(&desk, "true", &["site/north"]).await.good(), "Nothing was changed.\n");
    let said = edit(&desk, "sed -i 's/timezone: .*/timezone: Moon\\/Sea/' \"$1\"", &["site", "north"]).await;
    let err = said.bad(1);
    let kept = err.split("Your text is in ").nth(1).unwrap_or_else(|| panic!("{err}")).trim();
    let text = std::fs::read_to_string(kept).unwrap();
    assert!(text.contains("Moon/Sea") && text.contains("#!"), "{text}");
    std::fs::remove_file(kept).unwrap();
    let err = edit(&desk, "false", &["site", "north"]).await.bad(1);
    assert!(err.contains("nothing was changed"), "{err}");
}

#[tokio::test]
async fn another_change_meanwhile_is_kept_unless_it_is_of_the_same() {
    let desk = shop().await;
    let data = desk.data.path().to_str().unwrap().to_owned();
    // The editor waits until somebody else has written.
    let wait = "touch \"$0.open\"; while [ ! -e \"$0.go\" ]; do sleep 0.05; done; rm \"$0.open\" \"$0.go\"";
    let (open, go) = (desk.data.path().join("editor.sh.open"), desk.data.path().join("editor.sh.go"));
    let meanwhile = async |line: &str| {
        while !open.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let words: Vec<&str> = line.split(' ').collect();
        run_in(std::path::Path::new(&data), &words).await.good();
        std::fs::write(&go, "").unwrap();
    };
    let script = format!("{wait}\nsed -i 's/timezone: .*/timezone: Europe\\/Oslo/' \"$1\"");
    let environment = editor(&desk, &script);
    let words = ["cairn", "--data", &data, "edit", "site", "north"];
    let words = words.map(str::to_owned);
    // The editor blocks its thread.
    let edit = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(words.iter().map(String::as_str), environment, ""))
    });
    meanwhile("label site north seen=yes").await;
    let said = tokio::task::spawn_blocking(move || edit.join().unwrap()).await.unwrap();
    assert_eq!(said.good(), "site/north.retail.acme edited\n");
    let out = desk.run("get site north -o jsonpath={.spec.timezone},{.metadata.labels.seen}").await.good();
    assert_eq!(out, "Europe/Oslo,yes\n");
}

#[tokio::test]
async fn deleting_by_file_goes_from_the_leaves_up_and_twice() {
    let desk = desk().await;
    desk.tree().await;
    let tree = desk.data.path().join("tree.yaml");
    let out = desk.run(&format!("delete -f {}", tree.display())).await.good();
    let order: Vec<&str> = out.lines().map(|l| l.split('/').next().unwrap()).collect();
    assert_eq!(order, ["site", "site", "region", "region", "project", "organisation"], "{out}");
    let said = desk.run(&format!("delete -f {}", tree.display())).await;
    assert_eq!((said.code, said.out.as_str(), said.err.lines().count()), (0, "", 6), "{said:?}");
    desk.run("delete site nowhere").await.bad(3);
}

#[tokio::test]
async fn fields_are_explained_from_the_servers_own_document() {
    let desk = desk().await;
    let out = desk.run("explain site").await.good();
    assert!(out.starts_with("Site <object>") && out.contains("  spec "), "{out}");
    let out = desk.run("explain policy.spec.boot").await.good();
    assert!(out.contains("maxAttempts") && out.contains("<integer>"), "{out}");
    let err = desk.run("explain policy.spec.boost").await.bad(3);
    assert!(err.contains("Did you mean policies.spec.boot?"), "{err}");
    desk.run("explain token ci").await.bad(2);
}

#[tokio::test]
async fn a_host_moves_and_is_imported() {
    let desk = shop().await;
    let out = desk.run("move host till-1 --to south --dry-run").await.good();
    assert_eq!(out, "Moved till-1.retail.acme to south (dry run).\n");
    desk.run("move till-1 --to south.retail.acme").await.good();
    assert_eq!(desk.run("get host till-1 -o jsonpath={.spec.site}").await.good(), "south\n");
    let csv = "name,serial,mac,site,labels\nc-1,C1,,north,role=pos\nc-2,C2,52:54:zz,north,\n";
    let path = desk.write("hosts.csv", csv);
    let file = path.display();
    let said = desk.run(&format!("import hosts -f {file} -n retail.acme --dry-run")).await;
    assert!(said.err.contains("1 line is wrong") && said.code == 1, "{said:?}");
    desk.run("get host c-1").await.bad(3);
    let wrong = desk.data.path().join("wrong.csv");
    let line = format!("import hosts -f {file} -n retail.acme --error-file {}", wrong.display());
    let said = desk.run(&line).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(std::fs::read_to_string(&wrong).unwrap().contains("c-2"), "{said:?}");
    assert_eq!(desk.run("get host c-1 -o jsonpath={.metadata.labels.role}").await.good(), "pos\n");
}

#[tokio::test]
async fn a_watch_begins_with_the_list_and_misses_nothing() {
    let desk = shop().await;
    let data = desk.data.path().to_str().unwrap().to_owned();
    let words = ["cairn", "--data", &data, "get", "hosts", "-n", "retail.acme", "-w"];
    let buffer = support::Tap::default();
    let watching = support::tapped(words, &buffer);
    let acting = async {
        buffer.until("till-2").await;
        desk.run("label host till-1 role=pos").await.good();
        buffer.until("modified").await;
        desk.run("delete host till-2").await.good();
        buffer.until("deleted").await;
    };
    tokio::select! {
        () = watching => panic!("the watch ended: {}", buffer.text()),
        () = acting => {}
    }
    let text = buffer.text();
    assert!(text.starts_with("EVENT     NAME    SITE "), "{text}");
    let events: Vec<&str> = text.lines().skip(1).map(|l| l.split_whitespace().next().unwrap()).collect();
    assert_eq!(events, ["present", "present", "modified", "deleted"], "{text}");
}
