//! Virtual machines under a real QEMU: the boot sector that they boot is written here, prints on its serial line and echoes.

#![allow(clippy::unwrap_used, reason = "tests panic")]

mod rig;

use std::collections::BTreeMap;
use std::time::Duration;

use cairn_contract::workload::{Application, Phase, Release, Secrets, placeholder};
use rig::{Rig, ensure, entries, inside, oci_archive, ready, reason, run, until, vm_release, wait};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use uuid::Uuid;

/// 16-bit code at 0x7c00: prints the text at its end on COM1, then sends back what it reads there.
fn boot_sector(text: &str) -> Vec<u8> {
    let mut code = vec![
        0x31, 0xc0, 0x8e, 0xd8, 0xbe, 0x21, 0x7c, // ds = 0, si = text
        0xac, 0x84, 0xc0, 0x74, 0x06, 0xba, 0xf8, 0x03, 0xee, 0xeb, 0xf5, // print until 0
        0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf8, // wait for a byte
        0xba, 0xf8, 0x03, 0xec, 0xee, 0xeb, 0xf1, // echo it
    ];
    code.extend(text.as_bytes());
    code.resize(510, 0);
    code.extend([0x55, 0xaa]);
    code.resize(1 << 20, 0);
    code
}

fn push_disk(rig: &Rig, name: &str) {
    let disk = boot_sector("hello from the machine\r\n");
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(disk.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "disk/boot.img", disk.as_slice()).unwrap();
    let path = rig.folder.join("disk.tar");
    std::fs::write(&path, oci_archive(name, &tar.into_inner().unwrap(), &json!({}))).unwrap();
    let to = format!("docker://{}/{name}", rig.registry);
    let from = format!("oci-archive:{}", path.display());
    run("skopeo", &["copy", "-q", "--insecure-policy", "--dest-tls-verify=false", &from, &to]);
}

/// A machine with everything, in this run state.
fn order(id: Uuid, revision: &str, run: &str) -> (Release, Application) {
    let secret = placeholder(id, "password");
    vm_release(
        id,
        revision,
        json!({
            "cpus": 1, "memoryBytes": 64 << 20, "run": run,
            "disks": [
                {"name": "root", "source": {"image": "disks/boot:1"}, "sizeBytes": 4 << 20},
                {"name": "data", "source": "blank", "sizeBytes": 8 << 20},
            ],
            "nics": [{"name": "net", "ports": [{"host": rig::free_port(), "container": 22}]}],
            "userData": format!("#cloud-config\npassword: {secret}\n"),
        }),
    )
}

#[test]
fn a_machine_prints_on_its_console_and_leaves_nothing() {
    inside("a_machine_prints_on_its_console_and_leaves_nothing", async {
        let rig = Rig::new();
        push_disk(&rig, "disks/boot:1");
        let (runtime, id) = (rig.runtime(), Uuid::new_v4());
        let secret = placeholder(id, "password");
        let of = |revision: &str, run: &str| order(id, revision, run);
        let secrets = Secrets { values: BTreeMap::from([(secret.clone(), "very-hidden".to_owned())]) };
        let first = of("1", "Always");
        runtime.ensure(&first.0, &first.1, &secrets).unwrap();
        until(&runtime, ready).await;
        let log = runtime.log(id, "web");
        wait("the serial line", || {
            String::from_utf8_lossy(&log.tail(5).unwrap()).contains("hello from the machine")
        });
        let mut console = runtime.console(id, "web").await.unwrap();
        console.write_all(b"ping").await.unwrap();
        let mut echo = [0; 4];
        tokio::time::timeout(Duration::from_secs(20), console.read_exact(&mut echo)).await.unwrap().unwrap();
        assert_eq!(&echo, b"ping");
        drop(console);

        let grep = |word: &str, folder: &str| {
            let folder = rig.folder.join(folder);
            let output =
                std::process::Command::new("grep").args(["-rla", word]).arg(folder).output().unwrap();
            String::from_utf8_lossy(&output.stdout).lines().count()
        };
        assert_eq!((grep("very-hidden", "state"), grep("very-hidden", "units")), (0, 0));
        assert_eq!(grep("very-hidden", "run"), 1, "the seed, which lies in memory");

        // The next agent goes on with the same QEMU.
        let record = || {
            std::fs::read_to_string(
                rig.folder.join("units/records").join(&entries(&rig.folder.join("units/records"))[0]),
            )
        };
        let before = record().unwrap();
        drop(runtime);
        let runtime = rig.runtime();
        runtime.ensure(&first.0, &first.1, &secrets).unwrap();
        until(&runtime, ready).await;
        assert_eq!(record().unwrap(), before);

        ensure(&runtime, &of("2", "Halted"));
        until(&runtime, reason("Halted")).await;
        assert_eq!(entries(&rig.folder.join("units/records")), [""; 0]);
        ensure(&runtime, &of("3", "Once"));
        until(&runtime, reason("Running")).await;
        let before = record().unwrap();
        runtime.restart(id, "web").await.unwrap();
        wait("another process", || record().is_ok_and(|r| r != before));
        until(&runtime, reason("Running")).await;
        runtime.remove(id, "web").await.unwrap();
        for folder in ["state/vms", "run/vms", "units/records", "units/logs"] {
            assert_eq!(entries(&rig.folder.join(folder)), [""; 0], "{folder}");
        }
    });
}

#[test]
fn a_machine_that_cannot_run_says_why() {
    inside("a_machine_that_cannot_run_says_why", async {
        let rig = Rig::new();
        let (runtime, id) = (rig.runtime(), Uuid::new_v4());
        let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let blank = json!([{"name": "a", "source": "blank", "sizeBytes": 1 << 20}]);
        let cases = [
            (json!({"cpus": 0, "memoryBytes": 64 << 20, "disks": []}), "SpecInvalid"),
            (json!({"cpus": 1, "memoryBytes": 1, "disks": []}), "SpecInvalid"),
            (
                json!({"cpus": 1, "memoryBytes": 64 << 20, "disks": [{"name": "a", "source": "blank"}]}),
                "DiskInvalid",
            ),
            (
                json!({"cpus": 1, "memoryBytes": 64 << 20, "disks": [{"name": "../a", "source": "blank"}]}),
                "SpecInvalid",
            ),
            (
                json!({"cpus": 1, "memoryBytes": 64 << 20, "disks": [{"name": "a", "source": {"image": "none:1"}}]}),
                "ImageNotFound",
            ),
            (
                json!({"cpus": 1, "memoryBytes": 64 << 20, "disks": [], "nics": [{"name": "n", "bridge": "none0"}]}),
                "NetworkFailed",
            ),
            (
                json!({
                    "cpus": 1, "memoryBytes": 64 << 20, "disks": blank,
                    "nics": [{"name": "n", "ports": [{"host": port, "container": 80}]}],
                }),
                "PortTaken",
            ),
        ];
        for (number, (vm, word)) in cases.into_iter().enumerate() {
            ensure(&runtime, &vm_release(id, &number.to_string(), vm));
            let seen = until(&runtime, reason(word)).await;
            assert_eq!(seen.application.phase, Phase::Failed);
        }
        runtime.remove(id, "web").await.unwrap();
    });
}
