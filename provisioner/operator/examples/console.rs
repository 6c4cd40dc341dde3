//! Shows the console with made-up hosts, for work on its looks: `cargo run -p cairn-operator --example console`.
//! It prints where it is and the token; nothing outlives it.

#[path = "../tests/support/mod.rs"]
mod support;

use cairn_contract::{
    Digest, HostId, InstallId, Inventory, Smbios, Timestamp,
    inventory::{DiskInfo, NicInfo, TpmInfo, Transport},
    report::FailureKind,
};
use cairn_domain::{Host, HostSpec, Level, Note, State, Why, host::Installed};
use cairn_store::{Change, Clock as _, Line, Store, SystemClock, Whose};

#[tokio::main]
async fn main() {
    let (site, _ca) = support::tls_site("127.0.0.1:8443".parse().expect("an address")).await;
    if std::env::args().nth(1).as_deref() != Some("empty") {
        fill(&site.store).await;
    }
    eprintln!("https://{}/   token: {}", site.addr, support::TOKEN);
    tokio::signal::ctrl_c().await.expect("signals work");
}

async fn fill(store: &Store) {
    let now = SystemClock.now();
    let until = now.after_seconds(600);
    let install = InstallId(uuid::Uuid::new_v4());
    let states = [
        State::Running { until },
        State::Installing { attempt: 2, install, until },
        State::Attesting { attempt: 0, until },
        State::FirstBoot { install, until },
        State::Registered,
        State::Quarantined { why: Why::OtherTpm("edge-01".into()) },
        State::Failed { why: Why::InstallFailed(FailureKind::NoDisk) },
        State::Pending,
        State::Silent { since: now },
        State::Running { until },
        State::Booting { attempt: 0, until },
    ];
    for (i, state) in (0_u8..).zip(states) {
        let at = Timestamp(now.0 - 60_000 * i64::from(i) * (i64::from(i) + 1));
        let change = Change::insert(host(i, state, at), at);
        let id = change.host.id;
        store.commit(Change { lines: story(id, now), ..change }).await.expect("it commits");
    }
    let note = |text: &str| Note::new(Level::Info, "dhcp.offer", text);
    for (mac, text) in [
        (
            "52:54:00:aa:00:01",
            "asked for a boot file (UEFI x64, HTTP); offered 10.77.0.120 and the installer",
        ),
        ("52:54:00:aa:00:02", "asked for an address without network boot; offered 10.77.0.121"),
    ] {
        let mac = mac.parse().expect("an address");
        store.note(Whose::Machine(mac), now, note(text)).await.expect("it is written");
    }
    let rival = Note::new(
        Level::Warn,
        "dhcp.other_server",
        "another DHCP server answers on eth1: 10.77.0.254. To do: switch it off on this segment",
    );
    store.note(Whose::Site, now, rival).await.expect("it is written");
}

fn host(i: u8, state: State, at: Timestamp) -> Host {
    let proven = !matches!(state, State::Registered | State::Booting { .. });
    let installed = matches!(state, State::Running { .. } | State::Silent { .. });
    let name =
        if matches!(state, State::Pending) { format!("sn-{i:05}-9f31c2aa") } else { format!("edge-{i:02}") };
    Host {
        id: HostId(uuid::Uuid::new_v4()),
        spec: HostSpec {
            name,
            serial: Some(format!("CZ20250{i:03}")),
            image: i.is_multiple_of(3).then(|| "debian".to_owned()),
            ..HostSpec::default()
        },
        state,
        ek: proven.then(|| Digest::of(&[i])),
        inventory: proven.then(|| inventory(i)),
        installed: installed.then(|| Installed {
            install: InstallId(uuid::Uuid::new_v4()),
            image: "debian".into(),
            version: 7,
        }),
        created: Timestamp(at.0 - 86_400_000),
        changed: at,
        version: 0,
        meta: cairn_domain::host::HostMeta::default(),
    }
}

fn inventory(i: u8) -> Inventory {
    let disk = |name: &str, size, transport, serial: &str, removable| DiskInfo {
        name: name.into(),
        size,
        transport,
        serial: serial.into(),
        model: "QEMU NVMe Ctrl".into(),
        removable,
        block_size: 512,
    };
    let nic = |n: u8, carrier: bool| NicInfo {
        name: format!("enp{n}s0"),
        mac: cairn_contract::Mac([0x52, 0x54, 0, 0, i, n]),
        driver: "virtio_net".into(),
        speed_mbps: carrier.then_some(10_000),
        carrier,
    };
    Inventory {
        smbios: Smbios {
            serial: format!("CZ20250{i:03}"),
            uuid: uuid::Uuid::new_v4().to_string(),
            vendor: "Lenovo".into(),
            product: "ThinkEdge SE350".into(),
            bios_version: "IVE138P-2.70".into(),
        },
        cpu_model: "Intel(R) Xeon(R) D-2143IT CPU @ 2.20GHz".into(),
        cpu_count: 16,
        memory: 64 << 30,
        disks: vec![
            disk("nvme0n1", 512_110_190_592, Transport::Nvme, "S5GXNX0T", false),
            disk("sda", 31_000_000_000, Transport::Usb, "", true),
        ],
        nics: vec![nic(1, true), nic(2, false)],
        tpm: Some(TpmInfo { manufacturer: "INTC".into(), firmware_version: 0x0001_0200_0000_0000 }),
        kernel: "6.1.0-41-amd64".into(),
        firmware: "uefi".into(),
    }
}

fn story(id: HostId, now: Timestamp) -> Vec<Line> {
    let mut at = now.0 - 150_000;
    let mut line = |after: i64, level, code: &'static str, text: &str, state: Option<&'static str>| {
        at += after;
        Line { whose: Whose::Host(id), at: Timestamp(at), note: Note::new(level, code, text), state }
    };
    use Level::{Bad, Good, Info, Warn};
    vec![
        line(0, Info, "host.registered", "registered by an operator", Some("registered")),
        line(
            40_000,
            Info,
            "dhcp.offer",
            "asked for a boot file (UEFI x64, HTTP); offered 10.77.0.101 and the installer",
            Some("booting"),
        ),
        line(310, Info, "http.served", "fetched the installer lab 12 (24.1 MB in 0.8 s)", None),
        line(
            9_200,
            Info,
            "attest.claimed",
            "claims serial CZ20250001; its EK certificate is by Intel (discrete TPM)",
            Some("attesting"),
        ),
        line(
            640,
            Good,
            "attest.proven",
            "proved its TPM and that it runs our installer lab 12 (PCR 4 and 11 as predicted)",
            None,
        ),
        line(12, Info, "install.planned", "gets image debian 7 for nvme0n1", Some("installing")),
        line(31_000, Warn, "install.resumed", "the download broke off at 61 % and went on", None),
        line(
            22_000,
            Good,
            "install.finished",
            "wrote nvme0n1 (QEMU NVMe Ctrl, serial S5GXNX0T): write 41 s, verify 3 s",
            Some("first boot"),
        ),
        line(
            18_000,
            Good,
            "agent.proven",
            "its system proved itself and has a certificate until tomorrow",
            Some("running"),
        ),
        line(2_000, Bad, "agent.disk", "says: SMART of nvme0n1 is failing <script>alert(1)</script>", None),
    ]
}
