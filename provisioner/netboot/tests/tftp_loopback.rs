//! The TFTP service on the loopback interface: packet by packet, and with busybox and curl where they are there.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use cairn_contract::Digest;
use cairn_netboot::tftp::Config;
use cairn_netboot::*;
use cairn_netproto::bootfile::Name;
use support::{Events, installer, parts, pattern};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

struct Rig {
    server: SocketAddr,
    events: Arc<Events>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

async fn rig_with(change: impl FnOnce(&mut Config)) -> Rig {
    let (mut parts, events) = parts(Site::plain([127, 0, 0, 1].into()), installer);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big");
    std::fs::write(&path, pattern(2_000_000)).unwrap();
    let mut files = support::shelf();
    files.insert(Name::new("big.efi").unwrap(), Blob::file(path, Digest::of(&pattern(2_000_000))).unwrap());
    files.insert(Name::new("even.efi").unwrap(), Blob::memory(pattern(1024)));
    parts.shelf = Arc::new(Shelf::new(files));
    let mut config = Config::usual(([127, 0, 0, 1], 0).into());
    config.timeout = Duration::from_millis(100);
    config.attempts = 3;
    change(&mut config);
    let tftp = config.bind(parts).await.unwrap();
    let server = tftp.local_addr().unwrap();
    let stop = CancellationToken::new();
    let token = stop.clone();
    #[allow(clippy::disallowed_methods, reason = "a test ends its task in Drop")]
    let task = tokio::spawn(async move { tftp.run(token).await.unwrap() });
    Rig { server, events, stop, task, _folder: folder }
}

async fn rig() -> Rig {
    rig_with(|_| {}).await
}

fn rrq(name: &str, options: &[(&str, &str)]) -> Vec<u8> {
    let mut out = [b"\0\x01".as_slice(), name.as_bytes(), b"\0octet\0"].concat();
    for (key, value) in options {
        out.extend(format!("{key}\0{value}\0").bytes());
    }
    out
}

struct Client(UdpSocket);

impl Client {
    async fn new() -> Self {
        Self(UdpSocket::bind("127.0.0.1:0").await.unwrap())
    }

    async fn receive(&self) -> Option<(Vec<u8>, SocketAddr)> {
        let mut buffer = vec![0; 70_000];
        let (len, from) = tokio::time::timeout(Duration::from_millis(1000), self.0.recv_from(&mut buffer))
            .await
            .ok()?
            .unwrap();
        buffer.truncate(len);
        Some((buffer, from))
    }

    async fn ask(&self, rig: &Rig, packet: &[u8]) -> (Vec<u8>, SocketAddr) {
        self.0.send_to(packet, rig.server).await.unwrap();
        self.receive().await.expect("an answer")
    }

    async fn ack(&self, number: u16, to: SocketAddr) {
        self.0.send_to(&[&[0, 4][..], &number.to_be_bytes()].concat(), to).await.unwrap();
    }

    /// A whole file, as a simple client fetches it.
    async fn fetch(&self, rig: &Rig, name: &str, blksize: usize) -> Vec<u8> {
        let (mut packet, from) = self.ask(rig, &rrq(name, &[("blksize", &blksize.to_string())])).await;
        assert_eq!(&packet[..2], [0, 6], "{packet:?}");
        let mut out = Vec::new();
        self.ack(0, from).await;
        loop {
            packet = self.receive().await.unwrap().0;
            assert_eq!(&packet[..2], [0, 3]);
            out.extend(&packet[4..]);
            self.ack(u16::from_be_bytes([packet[2], packet[3]]), from).await;
            if packet.len() < blksize + 4 {
                return out;
            }
        }
    }
}

#[tokio::test]
async fn files_arrive_whole_from_memory_and_from_disk() {
    let rig = rig().await;
    let client = Client::new().await;
    assert_eq!(client.fetch(&rig, "installer.efi", 1468).await, pattern(300_000));
    rig.events.wait_for("got installer.efi by TFTP, 300000 bytes").await;
    assert_eq!(Client::new().await.fetch(&rig, "big.efi", 1400).await, pattern(2_000_000));
    assert_eq!(Client::new().await.fetch(&rig, "even.efi", 512).await, pattern(1024));
}

#[tokio::test]
async fn rule_25_edk2_probes_the_size_and_comes_back() {
    let rig = rig().await;
    let client = Client::new().await;
    let probe = rrq("installer.efi", &[("tsize", "0"), ("blksize", "1468"), ("windowsize", "4")]);
    let (oack, from) = client.ask(&rig, &probe).await;
    assert_eq!(oack, b"\0\x06blksize\x001468\0tsize\x00300000\0windowsize\x004\0");
    client.0.send_to(b"\0\x05\0\x08User aborted the transfer\0", from).await.unwrap();
    let event = rig.events.wait_for("asked by TFTP for the size of installer.efi").await;
    assert_eq!(event.what.severity(), Severity::Normal);
    let (oack, from) =
        client.ask(&rig, &rrq("installer.efi", &[("blksize", "1468"), ("windowsize", "4")])).await;
    assert_eq!(oack, b"\0\x06blksize\x001468\0windowsize\x004\0");
    client.ack(0, from).await;
    for number in 1..=4_u8 {
        assert_eq!(client.receive().await.unwrap().0[..4], [0, 3, 0, number]);
    }
}

#[tokio::test]
async fn rule_29_a_new_port_for_each_transfer_and_a_repeated_request_is_the_same() {
    let rig = rig().await;
    let (one, two) = (Client::new().await, Client::new().await);
    let request = rrq("installer.efi", &[("blksize", "1024")]);
    let (_, from_one) = one.ask(&rig, &request).await;
    let (_, from_two) = two.ask(&rig, &request).await;
    assert!(from_one.port() != from_two.port() && from_one.port() != rig.server.port());
    let (again, from_again) = one.ask(&rig, &request).await;
    assert_eq!(
        (again[..2].to_vec(), from_again),
        (vec![0, 6], from_one),
        "its own OACK, sent again by its timer"
    );
    let (_, other) = one.ask(&rig, &rrq("vmlinuz", &[("blksize", "1024")])).await;
    assert_ne!(other, from_one, "another file from the same port is another transfer");
    rig.events.wait_for("the client asked for another file instead").await;
}

#[tokio::test]
async fn rule_27_blocks_fit_the_mtu() {
    let rig = rig_with(|config| config.mtu = 1400).await;
    let (oack, _) = Client::new().await.ask(&rig, &rrq("installer.efi", &[("blksize", "8192")])).await;
    assert_eq!(oack, b"\0\x06blksize\x001368\0");
    assert!(tftp::interface_mtu("lo").unwrap() > 1500);
    assert!(tftp::interface_mtu("no-such-interface").is_err());
}

#[tokio::test]
async fn rule_30_and_31_names_and_refusals() {
    let rig = rig().await;
    let code = |packet: &[u8]| u16::from_be_bytes([packet[2], packet[3]]);
    for name in ["installer.efi", "/installer.efi", "//installer.efi", "\\installer.efi"] {
        let client = Client::new().await;
        let (packet, from) = client.ask(&rig, &rrq(name, &[("tsize", "0")])).await;
        assert_eq!(packet[1], 6, "{name}");
        client.0.send_to(b"\0\x05\0\x08\0", from).await.unwrap();
    }
    for name in ["../../etc/passwd", "/etc/passwd", "INSTALLER.EFI", "boot/installer.efi", ""] {
        let (packet, from) = Client::new().await.ask(&rig, &rrq(name, &[])).await;
        assert_eq!((packet[1], code(&packet), from), (5, 1, rig.server), "{name}");
    }
    rig.events.wait_for("asked by TFTP for ../../etc/passwd, which does not exist").await;
    let client = Client::new().await;
    assert_eq!(code(&client.ask(&rig, &rrq("boot-from-disk", &[])).await.0), 1);
    rig.events.wait_for("its firmware was sent on to the disk").await;
    assert_eq!(code(&client.ask(&rig, b"\0\x02x\0octet\0").await.0), 2);
    rig.events.wait_for("refused a TFTP request: write request for x").await;
    assert_eq!(client.ask(&rig, b"\0\x01vmlinuz\0netascii\0").await.0[1], 5);
    client.0.send_to(&[0xff; 600], rig.server).await.unwrap();
    rig.events.wait_for("malformed TFTP packet dropped: not a request").await;
}

#[tokio::test]
async fn rule_31_transfers_are_bounded_for_each_client_and_come_free() {
    let rig = rig_with(|config| config.per_client = 2).await;
    let clients = [Client::new().await, Client::new().await, Client::new().await];
    let request = rrq("installer.efi", &[("blksize", "1024")]);
    for client in &clients[..2] {
        assert_eq!(client.ask(&rig, &request).await.0[1], 6);
    }
    clients[2].0.send_to(&request, rig.server).await.unwrap();
    rig.events.wait_for("TFTP is busy (transfers)").await;
    for client in &clients[..2] {
        while client.receive().await.is_some() {}
    }
    assert_eq!(clients[2].ask(&rig, &request).await.0[1], 6, "silent clients lose their place");
    rig.events.wait_for("broke off after 0 of 300000 bytes: the client fell silent").await;
}

#[tokio::test]
async fn rule_16_ipxe_finds_its_script_beside_itself() {
    let rig = rig().await;
    let script = Client::new().await.fetch(&rig, "autoexec.ipxe", 1024).await;
    let script = String::from_utf8(script).unwrap();
    assert!(
        script.starts_with("#!ipxe\n") && script.contains("kernel http://127.0.0.1/boot/vmlinuz "),
        "{script}"
    );
    rig.events.wait_for("iPXE got autoexec.ipxe: start the installer").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busybox_and_curl_fetch_over_tftp() {
    let rig = rig().await;
    let folder = tempfile::tempdir().unwrap();
    let port = rig.server.port().to_string();
    let out = folder.path().join("out");
    let out_text = out.to_str().unwrap().to_owned();
    let url = format!("tftp://127.0.0.1:{port}/big.efi");
    let commands: [(&str, Vec<&str>); 2] = [
        ("busybox", vec!["tftp", "-g", "-b", "1400", "-r", "big.efi", "-l", &out_text, "127.0.0.1", &port]),
        ("curl", vec!["--silent", "--show-error", "--tftp-blksize", "1400", "-o", &out_text, &url]),
    ];
    for (program, args) in commands {
        let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
        let ran =
            tokio::task::spawn_blocking(move || Command::new(program).args(args).output()).await.unwrap();
        match ran {
            Err(error) => eprintln!("SKIPPED: no {program}: {error}"),
            Ok(ran) => {
                assert!(ran.status.success(), "{program}: {ran:?}");
                assert!(std::fs::read(&out).unwrap() == pattern(2_000_000), "{program}");
                std::fs::remove_file(&out).unwrap();
            }
        }
    }
}
