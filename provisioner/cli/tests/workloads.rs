//! Packages, deployments, secrets, clusters and distributions against a real server.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use std::fs;

use cairn_contract::Digest;
use support::{Desk, desk, run_in};

const PACKAGE: &str = "apiVersion: cairn/v1\nkind: Package\nmetadata: {name: hello-1-0-0, namespace: acme}\nspec:\n  \
    package: hello\n  version: 1.0.0\n  parameters:\n  - {name: greeting, default: Hello}\n  - {name: copies, type: integer, default: 1}\n  \
    - {name: password, type: secret}\n  applications:\n  - name: web\n    source:\n      container:\n        image: hello:1\n        \
    env: ['G=${greeting}', 'C=${copies}', 'P=${password}']\n";

async fn shop() -> Desk {
    let desk = desk().await;
    desk.tree().await;
    for (name, site) in [("till-1", "north"), ("till-2", "south")] {
        desk.run(&format!(
            "host register {name} --serial SN-{name} --site {site} --label role=till -n retail.acme"
        ))
        .await
        .good();
    }
    let path = desk.write("hello.yaml", PACKAGE);
    let out = desk.run(&format!("package push {}", path.display())).await.good();
    assert!(out.starts_with("package/hello-1-0-0.acme created\n"), "{out}");
    desk
}

#[tokio::test]
async fn a_package_is_previewed_deployed_paused_and_resumed() {
    let desk = shop().await;
    let list = desk.run("package ls").await.good();
    assert!(list.contains("hello") && list.contains("web (container)"), "{list}");
    let base = "deploy greet --package hello --selector role=till -n retail.acme";
    let none = desk.run(&format!("{base} --dry-run")).await.good();
    assert!(none.starts_with("Nothing matches now: hello"), "{none}");
    let base = "deploy greet --package hello --to till-1,till-2 -n retail.acme";
    let out = desk.run(&format!("{base} --set greeting=Hi --set copies=2 --dry-run")).await.good();
    assert!(out.starts_with("hello 1.0.0 goes to 2 targets now:\n"), "{out}");
    assert!(out.contains("copies=2,greeting=Hi") && out.ends_with("without --dry-run\n"), "{out}");
    assert!(desk.run("get deployments -A").await.good().starts_with("No deployments here"));
    let out = desk.run(&format!("{base} --set copies=2 --batches 10,100 --success 90")).await.good();
    assert!(out.starts_with("deployment/greet.retail.acme created\n"), "{out}");
    let made = desk.run("get deployment greet -o json").await.json();
    assert_eq!(made["spec"]["parameters"]["copies"], 2);
    assert_eq!(made["spec"]["targets"]["kind"], "host", "a container is for hosts");
    assert_eq!(made["spec"]["rollout"]["successPercent"], 90);
    let out = desk.run(&format!("{base} --set copies=3")).await.good();
    assert!(out.contains("configured") && out.contains("spec.parameters.copies: 2 -> 3"), "{out}");
    let out = desk.run("deployment status greet").await.good();
    assert!(out.starts_with("greet.retail.acme  hello (newest)  Waiting, not looked at yet\n"), "{out}");
    assert!(desk.run("deployment pause greet").await.good().starts_with("Paused greet.retail.acme"));
    assert_eq!(desk.run("deployment pause greet").await.good(), "greet.retail.acme is paused already.\n");
    assert!(desk.run("deployment resume greet").await.good().contains("goes on"));
    assert!(desk.run("describe deployment greet").await.good().contains("\ntargets\n"));
    let list = desk.run("get deployments -n retail.acme").await.good();
    assert!(list.starts_with("NAME   PACKAGE  VERSION"), "{list}");
}

#[tokio::test]
async fn slips_are_told_before_anything_is_sent() {
    let desk = shop().await;
    let base = "deploy greet --selector role=till -n retail.acme --package";
    for (line, code, want) in [
        ("helo", 3, "Did you mean hello?"),
        ("hello --version 2.0.0", 3, "There are: 1.0.0"),
        ("hello --set greetin=x", 2, "Did you mean greeting?"),
        ("hello --set copies=two", 2, "a whole number"),
        ("hello --set password=x", 2, "cairn secret set"),
        ("hello --secret password=db", 2, "SECRET/KEY"),
    ] {
        let said = desk.run(&format!("{base} {line}")).await;
        assert!(said.code == code && said.err.contains(want), "{line}: {said:?}");
    }
    let said = desk.run("deploy greet --package hello --selector role=till -n acme").await;
    assert!(said.code == 2 && said.err.contains("-n PROJECT.acme"), "{said:?}");
}

#[tokio::test]
async fn values_of_secrets_are_set_and_not_shown() {
    let desk = shop().await;
    let file = desk.write("password", "correct horse\n");
    let out =
        desk.run(&format!("secret set db user=app password=@{} -n retail.acme", file.display())).await.good();
    assert_eq!(out, "secret/db.retail.acme (new): set user, password\n");
    let words = [
        "cairn",
        "--data",
        desk.data.path().to_str().unwrap(),
        "secret",
        "set",
        "db",
        "pin",
        "--from-stdin",
        "-n",
        "retail.acme",
    ];
    let said = support::run(words, cairn_cli::Environment::default(), "4711\n").await;
    assert_eq!(said.good(), "secret/db.retail.acme: set pin\n");
    let list = desk.run("secret ls -n retail.acme").await.good();
    assert!(list.contains("password,pin,user"), "{list}");
    let all = desk.run("get secret db -n retail.acme -o yaml").await.good();
    assert!(!all.contains("correct horse") && !all.contains("4711"), "{all}");
    assert_eq!(
        desk.run("secret unset db pin user -n retail.acme").await.good(),
        "secret/db.retail.acme: removed pin, user\n"
    );
    assert!(desk.run("secret unset db pin -n retail.acme").await.bad(3).contains("no value pin"));
    let said = desk.run("secret set db hunter2 -n retail.acme").await;
    assert!(said.code == 2 && !said.err.contains("hunter2"), "{said:?}");
}

#[tokio::test]
async fn a_distribution_is_imported_with_its_files_and_a_cluster_made_of_it() {
    let desk = shop().await;
    let folder = desk.data.path().join("kubeadm");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("kubelet"), vec![9_u8; 400_000]).unwrap();
    let text = "apiVersion: cairn/v1\nkind: Distribution\nmetadata: {name: kubeadm, namespace: acme}\nspec:\n  family: kubeadm\n  \
        version: 1.36.1\n  run:\n    adminKubeconfig: /etc/kubernetes/admin.conf\n    caCertificate: /etc/kubernetes/pki/ca.crt\n    \
        artifacts:\n    - {name: kubelet, place: {program: kubelet}}\n";
    fs::write(folder.join("distribution.yaml"), text).unwrap();
    let line = format!("distribution import {}", folder.display());
    let out = desk.run(&format!("{line} --dry-run")).await.good();
    assert!(out.contains("kubelet would be sent (400 kB") && out.contains("created (dry run)"), "{out}");
    let out = desk.run(&line).await.good();
    assert!(out.contains("kubelet kept") && out.contains("distribution/kubeadm.acme created"), "{out}");
    let digest = Digest::of(&vec![9_u8; 400_000]);
    assert!(desk.site.store.blobs().open(&digest).unwrap().is_some());
    let list = desk.run("distribution ls -n acme").await.good();
    assert!(list.contains("kubeadm") && list.contains("1.36.1"), "{list}");
    let template = "apiVersion: cairn/v1\nkind: ClusterTemplate\nmetadata: {name: small, namespace: acme}\nspec: {version: 1.0.0, distribution: kubeadm}\n";
    let path = desk.write("template.yaml", template);
    desk.run(&format!("apply -f {}", path.display())).await.good();
    let out = desk
        .run("cluster create edge --template small --hosts till-1 --label tier=prod -n retail.acme")
        .await
        .good();
    assert!(out.starts_with("cluster/edge.retail.acme created\n"), "{out}");
    let out = desk.run("cluster status edge -n retail.acme").await.good();
    assert!(out.starts_with("edge.retail.acme  small  Waiting"), "{out}");
    let out = desk.run("cluster add edge till-2 -n retail.acme").await.good();
    assert!(out.starts_with("edge.retail.acme now has: till-1, till-2\n"), "{out}");
    desk.run("cluster remove edge till-2 -n retail.acme").await.good();
    assert!(desk.run("cluster remove edge till-9 -n retail.acme").await.bad(3).contains("till-9"));
    let said = run_in(desk.data.path(), &["describe", "cluster", "edge", "-n", "retail.acme"]).await.good();
    assert!(said.contains("\nnodes\n"), "{said}");
}
