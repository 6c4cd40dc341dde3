//! Containers on a real containerd, with runc, CNI and a real registry.

#![allow(clippy::unwrap_used, reason = "tests panic")]

mod rig;

use std::collections::BTreeMap;

use cairn_contract::workload::{Phase, Secrets, placeholder};
use cairn_runtime::container::Exec;
use rig::{Rig, ensure, entries, free_port, get, inside, none, ready, reason, release, until, wait};
use serde_json::json;
use uuid::Uuid;

#[test]
fn a_container_answers_over_its_port_and_leaves_nothing() {
    inside("a_container_answers_over_its_port_and_leaves_nothing", async {
        let rig = Rig::new();
        let serve = json!({"Entrypoint": ["/bin/httpd"], "Cmd": ["-f", "-p", "80", "-h", "/www"]});
        rig.push("shop/web:1", &serve);
        let (runtime, id, port) = (rig.runtime(), Uuid::new_v4(), free_port());
        let order =
            release(id, "1", json!({"image": "shop/web:1", "ports": [{"host": port, "container": 80}]}));
        ensure(&runtime, &order);
        let seen = until(&runtime, ready).await;
        assert_eq!((seen.application.reason.as_str(), seen.corrected), ("Running", 0));
        wait("the page", || get(port).is_ok_and(|t| t.ends_with("hello from cairn\n")));
        assert_eq!(runtime.known().await.unwrap(), [(id, "web".to_owned())]);

        // The next agent leaves it alone.
        let task = rig.ctr(&["task", "ls"]);
        drop(runtime);
        let runtime = rig.runtime();
        ensure(&runtime, &order);
        until(&runtime, ready).await;
        assert_eq!(rig.ctr(&["task", "ls"]), task);

        // Another revision of the release with the same container, too.
        ensure(
            &runtime,
            &release(id, "2", json!({"image": "shop/web:1", "ports": [{"host": port, "container": 80}]})),
        );
        until(&runtime, |s| ready(s) && s.revision == cairn_contract::Digest::of(b"2")).await;
        assert_eq!(rig.ctr(&["task", "ls"]), task);

        runtime.remove(id, "web").await.unwrap();
        assert_eq!(runtime.observe(), []);
        assert_eq!(runtime.known().await.unwrap(), []);
        assert_eq!(
            (rig.ctr(&["task", "ls", "-q"]), rig.ctr(&["c", "ls", "-q"])),
            (String::new(), String::new())
        );
        let snapshots = rig.ctr(&["snapshots", "ls"]);
        assert!(!snapshots.contains("Active"), "{snapshots}");
        for folder in ["run/netns", "run/cni", "run/exec", "state/containers"] {
            assert_eq!(entries(&rig.folder.join(folder)), [""; 0], "{folder}");
        }
        let addresses = entries(&rig.folder.join("run/addresses/cairn"));
        assert!(!addresses.iter().any(|a| a.starts_with("10.")), "{addresses:?}");
        let rules = rig::run("iptables-save", &["-t", "nat"]);
        assert!(!rules.contains(&format!("--dport {port}")), "{rules}");
        assert!(get(port).is_err());
    });
}

#[test]
fn programs_run_in_it_with_input_status_and_terminal() {
    inside("programs_run_in_it_with_input_status_and_terminal", async {
        let rig = Rig::new();
        rig.push("idle:1", &json!({"Cmd": ["/bin/sleep", "1000"], "User": "web", "Env": ["A=image"]}));
        let (runtime, id) = (rig.runtime(), Uuid::new_v4());
        let secret = placeholder(id, "word");
        let order = release(id, "1", json!({"image": "idle:1", "env": [format!("B=x{secret}y")]}));
        let values = BTreeMap::from([(secret, "hidden".to_owned())]);
        runtime.ensure(&order.0, &order.1, &Secrets { values }).unwrap();
        until(&runtime, ready).await;
        let exec = |script: &str, terminal| Exec {
            run: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            terminal,
        };
        let mut out = Vec::new();
        let program =
            runtime.exec(id, "web", &exec("cat; echo $A $B; id -u; id -g; exit 7", None)).await.unwrap();
        let status = program.run(&b"typed\n"[..], &mut out).await.unwrap();
        assert_eq!(
            (status, String::from_utf8(out).unwrap()),
            (7, "typed\nimage xhiddeny\n33\n34\n".to_owned())
        );

        let mut out = Vec::new();
        let program = runtime.exec(id, "web", &exec("stty size", Some((100, 40)))).await.unwrap();
        program.run(tokio::io::empty(), &mut out).await.unwrap();
        assert_eq!(String::from_utf8(out).unwrap().trim(), "40 100");

        let mut out = Vec::new();
        let many = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done";
        let program = runtime.exec(id, "web", &exec(many, None)).await.unwrap();
        program.run(tokio::io::empty(), &mut out).await.unwrap();
        assert_eq!(out.iter().filter(|b| **b == b'\n').count(), 20_000);
        assert_eq!(entries(&rig.folder.join("run/exec")), [""; 0]);
        runtime.remove(id, "web").await.unwrap();
    });
}

#[test]
fn one_that_ends_is_started_again_as_its_policy_says() {
    inside("one_that_ends_is_started_again_as_its_policy_says", async {
        let rig = Rig::new();
        rig.push("sh:1", &json!({"Entrypoint": ["/bin/sh", "-c"]}));
        let (runtime, id) = (rig.runtime(), Uuid::new_v4());
        let of = |revision: &str, script: &str, restart: &str| {
            release(id, revision, json!({"image": "sh:1", "args": [script], "restart": restart}))
        };
        ensure(&runtime, &of("1", "echo once; exit 3", "Always"));
        let seen =
            until(&runtime, |s| reason("CrashLoop")(s) && s.application.workloads[0].restarts >= 1).await;
        assert_eq!(seen.application.phase, Phase::Failed);
        assert!(seen.application.message.contains("status 3"), "{seen:?}");
        let log = String::from_utf8(runtime.log(id, "web").tail(10).unwrap()).unwrap();
        assert!(log.starts_with("once\nonce\n"), "{log}");

        ensure(&runtime, &of("2", "exit 0", "OnFailure"));
        let seen = until(&runtime, reason("Completed")).await;
        assert_eq!((seen.application.phase, seen.application.workloads[0].restarts), (Phase::Ready, 0));
        ensure(&runtime, &of("3", "exit 4", "Never"));
        assert_eq!(until(&runtime, reason("Exited")).await.application.phase, Phase::Failed);
        runtime.remove(id, "web").await.unwrap();
    });
}

#[test]
fn limits_hold_and_too_much_memory_is_told() {
    inside("limits_hold_and_too_much_memory_is_told", async {
        let rig = Rig::new();
        rig.push("sh:1", &json!({"Entrypoint": ["/bin/sh", "-c"]}));
        let (runtime, id) = (rig.runtime(), Uuid::new_v4());
        let limits = json!({"memoryBytes": 32 << 20, "cpuMillis": 250, "pids": 20});
        let of = |revision: &str, script: &str| {
            release(id, revision, json!({"image": "sh:1", "args": [script], "limits": limits}))
        };
        ensure(&runtime, &of("1", "sleep 1000"));
        until(&runtime, ready).await;
        let name = rig.ctr(&["c", "ls", "-q"]).trim().to_owned();
        let read = |v1: &str, v2: &str| {
            let paths = [format!("/sys/fs/cgroup/{v1}"), format!("/sys/fs/cgroup/cairn/{name}/{v2}")];
            paths.iter().find_map(|p| std::fs::read_to_string(p).ok()).unwrap().trim().to_owned()
        };
        let memory = read(&format!("memory/cairn/{name}/memory.limit_in_bytes"), "memory.max");
        assert_eq!(memory, (32 << 20).to_string());
        assert_eq!(read(&format!("pids/cairn/{name}/pids.max"), "pids.max"), "20");
        let cpu = read(&format!("cpu/cairn/{name}/cpu.cfs_quota_us"), "cpu.max");
        assert_eq!(cpu.split(' ').next(), Some("25000"));
        // The log goes through the page cache, so a variable it is.
        ensure(&runtime, &of("2", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"));
        let seen = until(&runtime, reason("OutOfMemory")).await;
        assert!(seen.application.message.contains("memoryBytes"), "{seen:?}");
        runtime.remove(id, "web").await.unwrap();
    });
}

#[test]
fn volumes_survive_and_another_revision_replaces() {
    inside("volumes_survive_and_another_revision_replaces", async {
        let rig = Rig::new();
        rig.push("sh:1", &json!({"Entrypoint": ["/bin/sh", "-c"]}));
        std::fs::create_dir_all(rig.folder.join("shown")).unwrap();
        std::fs::write(rig.folder.join("shown/file"), "host\n").unwrap();
        let (runtime, id) = (rig.runtime(), Uuid::new_v4());
        let of = |revision: &str, script: &str| {
            let volumes = json!([
                {"path": "/data", "mount": {"name": "data"}}, {"path": "/host", "mount": {"hostPath": rig.folder.join("shown")}},
                {"path": "/mem", "mount": {"memory": 1 << 20}},
            ]);
            release(id, revision, json!({"image": "sh:1", "args": [script], "volumes": volumes}))
        };
        ensure(&runtime, &of("1", "echo kept > /data/x; sleep 1000"));
        until(&runtime, ready).await;
        let file = rig.folder.join(format!("state/volumes/{id}/data/x"));
        wait("the file", || std::fs::read_to_string(&file).is_ok_and(|t| t == "kept\n"));
        let script = "cat /data/x /host/file; echo a > /host/b; echo m > /mem/m && cat /mem/m; sleep 1000";
        ensure(&runtime, &of("2", script));
        let log = runtime.log(id, "web");
        // Standard output and standard error are two pipes: which is read first is nobody's promise.
        wait("the log", || {
            let text = log.tail(10).map(|t| String::from_utf8_lossy(&t).into_owned()).unwrap_or_default();
            ["kept\n", "host\n", "m\n", "Read-only file system"].iter().all(|words| text.contains(words))
        });
        runtime.remove(id, "web").await.unwrap();
        assert!(file.exists(), "volumes stay with the deployment");
        runtime.forget(id).unwrap();
        assert!(!file.exists());
    });
}

#[test]
fn what_others_do_to_it_is_put_right_and_containerd_may_be_away() {
    inside("what_others_do_to_it_is_put_right_and_containerd_may_be_away", async {
        let mut rig = Rig::new();
        rig.push("sh:1", &json!({"Cmd": ["/bin/sleep", "1000"]}));
        let (runtime, id) = (rig.runtime(), Uuid::new_v4());
        let order = release(id, "1", json!({"image": "sh:1"}));
        ensure(&runtime, &order);
        until(&runtime, ready).await;
        let name = rig.ctr(&["c", "ls", "-q"]).trim().to_owned();

        // Somebody removes it, all of it.
        rig.ctr(&["task", "rm", "-f", &name]);
        rig.ctr(&["c", "rm", &name]);
        let seen = until(&runtime, |s| ready(s) && s.corrected >= 1).await;
        assert!(seen.corrected <= 2, "{seen:?}");

        // containerd is restarted: the process goes on, and is not started again.
        let task = rig.ctr(&["task", "ls"]);
        rig.stop_containerd();
        until(&runtime, reason("ContainerdAway")).await;
        rig.start_containerd();
        until(&runtime, ready).await;
        assert_eq!(rig.ctr(&["task", "ls"]), task);

        // Somebody kills its process: the restart policy's matter.
        rig.ctr(&["task", "kill", "-s", "9", &name]);
        until(&runtime, |s| ready(s) && s.application.workloads[0].restarts == 1).await;
        runtime.remove(id, "web").await.unwrap();
    });
}

#[test]
fn what_cannot_run_says_why() {
    inside("what_cannot_run_says_why", async {
        let rig = Rig::new();
        rig.push("sh:1", &json!({"Cmd": ["/bin/sleep", "1000"]}));
        let (runtime, id) = (rig.runtime(), Uuid::new_v4());
        let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let cases = [
            (json!({"image": "none:1"}), "ImageNotFound"),
            (json!({"image": "sh:1", "pull": "Never"}), "ImageNotFound"),
            (json!({"image": "No Image"}), "ImageNameInvalid"),
            (json!({"image": "example.org/sh:1"}), "RegistryUnknown"),
            (json!({"image": "sh:1", "ports": [{"host": port, "container": 80}]}), "PortTaken"),
            (
                json!({"image": "sh:1", "volumes": [{"path": "/a/../b", "mount": {"memory": 1}}]}),
                "SpecInvalid",
            ),
            (
                json!({"image": "sh:1", "volumes": [{"path": "/a", "mount": {"hostPath": "/etc"}}]}),
                "HostPathRefused",
            ),
            (json!({"image": "sh:1", "env": ["=x"]}), "SpecInvalid"),
            (json!({"image": "sh:1", "command": ["/none"]}), "ContainerdRefused"),
        ];
        for (number, (container, word)) in cases.into_iter().enumerate() {
            ensure(&runtime, &release(id, &number.to_string(), container));
            let seen = until(&runtime, reason(word)).await;
            assert_eq!(seen.application.phase, Phase::Failed);
            assert!(!seen.application.message.is_empty());
        }
        drop(taken);
        ensure(
            &runtime,
            &release(id, "x", json!({"image": "sh:1", "ports": [{"host": port, "container": 80}]})),
        );
        until(&runtime, ready).await;
        runtime.remove(id, "web").await.unwrap();
        assert!(runtime.ensure(&release(id, "y", json!({"image": "sh:1"})).0, &bad_name(), &none()).is_err());
    });
}

fn bad_name() -> cairn_contract::workload::Application {
    let (_, mut application) = release(Uuid::nil(), "y", json!({"image": "sh:1"}));
    application.name = "../x".into();
    application
}

#[test]
fn bytes_that_do_not_match_are_refused_and_archives_are_imported() {
    inside("bytes_that_do_not_match_are_refused_and_archives_are_imported", async {
        let rig = Rig::new();
        let config = json!({"Cmd": ["/bin/sleep", "1000"]});
        rig.push("bad:1", &config);
        // The registry's largest blob, the layer, is changed behind its back, with its length kept.
        let blobs = rig.folder.join("registry/docker/registry/v2/blobs/sha256");
        let found = rig::run("find", &[blobs.to_str().unwrap(), "-name", "data", "-size", "+100k"]);
        let path = found.trim();
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
        let (runtime, id) = (rig.runtime(), Uuid::new_v4());
        ensure(&runtime, &release(id, "1", json!({"image": "bad:1"})));
        until(&runtime, reason("DigestMismatch")).await;
        assert_eq!(rig.ctr(&["images", "ls", "-q"]), "");

        let archive = rig.archive("local/app:2", &config);
        let good = std::fs::read(&archive).unwrap();
        let mut broken = good.clone();
        let middle = broken.len() / 2;
        broken[middle] ^= 1;
        std::fs::write(&archive, broken).unwrap();
        let error = runtime.images().import(&archive, Some("other:1")).await.unwrap_err();
        assert_eq!(error.reason(), "DigestMismatch", "{error}");
        std::fs::write(&archive, good).unwrap();
        let images = runtime.images().import(&archive, None).await.unwrap();
        assert_eq!(images[0].name, "cairn.local/local/app:2");
        ensure(&runtime, &release(id, "2", json!({"image": "local/app:2", "pull": "Never"})));
        until(&runtime, ready).await;
        runtime.remove(id, "web").await.unwrap();
        std::fs::write(&archive, "no archive").unwrap();
        assert_eq!(runtime.images().import(&archive, None).await.unwrap_err().reason(), "ArchiveInvalid");
    });
}
