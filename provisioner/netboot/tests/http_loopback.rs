//! HTTP boot over real connections on the loopback interface, byte by byte, and with curl where it is there.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use cairn_contract::Digest;
use cairn_netboot::http::{BootHttp, Config, Limits};
use cairn_netboot::*;
use cairn_netproto::bootfile::Name;
use support::{Events, installer, parts, pattern};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

struct Rig {
    addr: SocketAddr,
    events: Arc<Events>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    folder: tempfile::TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

async fn rig_with(limits: Limits, answer: impl Fn(&BootClient) -> BootAnswer + Send + Sync + 'static) -> Rig {
    let (mut parts, events) = parts(Site::plain([127, 0, 0, 1].into()), answer);
    let folder = tempfile::tempdir().unwrap();
    let mut files = support::shelf();
    let path = folder.path().join("disk.bin");
    std::fs::write(&path, pattern(3_000_000)).unwrap();
    files.insert(Name::new("disk.img").unwrap(), Blob::file(path, Digest::of(&pattern(3_000_000))).unwrap());
    let artifact = pattern(100_000);
    std::fs::write(folder.path().join(Digest::of(&artifact).to_string()), &artifact).unwrap();
    parts.shelf = Arc::new(Shelf::new(files).with_artifacts(Folder(folder.path().to_owned())));
    let http = Config { listen: ([127, 0, 0, 1], 0).into(), limits }.bind(parts).await.unwrap();
    let addr = http.local_addr().unwrap();
    let stop = CancellationToken::new();
    let token = stop.clone();
    #[allow(clippy::disallowed_methods, reason = "a test ends its task in Drop")]
    let task = tokio::spawn(async move { http.run(token).await.unwrap() });
    Rig { addr, events, stop, task, folder }
}

async fn rig() -> Rig {
    rig_with(Limits::default(), installer).await
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Rig {
    /// Sends a request as firmware would and reads to the end of the connection.
    async fn ask(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        let end = all.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(all[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: all[end + 4..].to_vec() }
    }

    async fn get(&self, path: &str, headers: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: 10.77.0.1\r\nConnection: close\r\n{headers}\r\n"))
            .await
    }

    async fn head(&self, path: &str) -> Answer {
        self.ask(&format!("HEAD {path} HTTP/1.1\r\nHost: 10.77.0.1\r\nConnection: close\r\n\r\n")).await
    }
}

#[tokio::test]
async fn rule_34_head_then_get_with_length_and_type() {
    let rig = rig().await;
    let head = rig.head("/boot/installer.efi").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some("300000"));
    assert_eq!(head.header("content-type"), Some("application/efi"));
    let get = rig.get("/boot/installer.efi", "").await;
    assert_eq!((get.status, get.body), (200, pattern(300_000)));
    assert_eq!(head.header("etag"), get.head.lines().find_map(|l| l.strip_prefix("etag: ")));
    let event = rig.events.wait_for("got installer.efi by HTTP, 300000 bytes").await;
    assert_eq!(event.who.peer, Some([127, 0, 0, 1].into()));
    assert_eq!(rig.head("/boot/disk.img").await.header("content-type"), Some("application/vnd.efi-img"));
    let kept =
        rig.ask("HEAD /boot/vmlinuz HTTP/1.1\r\nHost: x\r\n\r\nGET /boot/vmlinuz HTTP/1.0\r\n\r\n").await;
    assert!(kept.body.ends_with(&pattern(5000)), "EDK2 sends both on one connection");
}

#[tokio::test]
async fn rule_34_no_redirect_ever() {
    let rig = rig().await;
    for path in ["//boot/installer.efi", "/boot//installer.efi", "/boot/installer.efi?x=1"] {
        assert_eq!(rig.head(path).await.status, 200, "{path}");
    }
    for path in [
        "/",
        "/boot",
        "/boot/",
        "/boot/nothing",
        "/boot/../installer.efi",
        "/BOOT/installer.efi",
        "/boot/Installer.efi",
    ] {
        assert_eq!(rig.head(path).await.status, 404, "{path}");
    }
    let event = rig.events.wait_for("asked by HTTP for nothing, which does not exist").await;
    assert_eq!(event.what.severity(), Severity::Warning);
}

#[tokio::test]
async fn rule_37_ranges_from_memory_and_from_disk() {
    let rig = rig().await;
    let whole = pattern(3_000_000);
    let part = rig.get("/boot/disk.img", "Range: bytes=1000000-2499999\r\n").await;
    assert_eq!((part.status, part.header("content-range")), (206, Some("bytes 1000000-2499999/3000000")));
    assert_eq!(
        (part.header("content-length"), &part.body[..]),
        (Some("1500000"), &whole[1_000_000..2_500_000])
    );
    let tail = rig.get("/boot/installer.efi", "Range: bytes=-10\r\n").await;
    assert_eq!((tail.status, &tail.body[..]), (206, &pattern(300_000)[299_990..]));
    let beyond = rig.get("/boot/disk.img", "Range: bytes=3000000-\r\n").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */3000000")));
    let several = rig.get("/boot/disk.img", "Range: bytes=0-1,5-6\r\n").await;
    assert_eq!((several.status, several.body.len()), (200, 3_000_000));
}

#[tokio::test]
async fn rule_37_conditions_by_etag() {
    let rig = rig().await;
    let digest = Digest::of(&pattern(100_000));
    let path = format!("/artifacts/sha256/{digest}");
    let tag = format!("\"{digest}\"");
    let get = rig.get(&path, "").await;
    assert_eq!((get.status, get.header("etag")), (200, Some(&tag[..])));
    assert_eq!(get.body, pattern(100_000));
    let same = rig.get(&path, &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!((same.status, same.body.len()), (304, 0));
    let resumed = rig.get(&path, &format!("Range: bytes=99990-\r\nIf-Range: {tag}\r\n")).await;
    assert_eq!((resumed.status, resumed.body.len()), (206, 10));
    let changed = rig.get(&path, "Range: bytes=99990-\r\nIf-Range: \"other\"\r\n").await;
    assert_eq!((changed.status, changed.body.len()), (200, 100_000));
    let absent = format!("/artifacts/sha256/{}", "00".repeat(32));
    assert_eq!(rig.get(&absent, "").await.status, 404);
    assert_eq!(rig.get("/artifacts/sha256/..%2fdisk.bin", "").await.status, 404);
}

#[tokio::test]
async fn old_clients_and_wrong_methods_are_answered_plainly() {
    let rig = rig().await;
    let old = rig.ask("GET /boot/vmlinuz HTTP/1.0\r\n\r\n").await;
    assert_eq!((old.status, old.body.len()), (200, 5000));
    let post = rig
        .ask("POST /boot/vmlinuz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
    rig.events.wait_for("refused a HTTP request: POST /boot/vmlinuz").await;
    let mut garbage = TcpStream::connect(rig.addr).await.unwrap();
    garbage.write_all(&[0xff; 5000]).await.unwrap();
    let mut rest = Vec::new();
    // The server may answer 400 or just reset; either way it goes on.
    let _ended = garbage.read_to_end(&mut rest).await;
    assert_eq!(rig.head("/boot/vmlinuz").await.status, 200);
    assert!(
        BootHttp::serves("//boot/x")
            && BootHttp::serves("/artifacts/sha256/x")
            && !BootHttp::serves("/api/v1")
    );
}

#[tokio::test]
async fn rule_16_and_40_each_host_gets_its_own_script() {
    let install = rig().await;
    for name in ["boot.ipxe", "autoexec.ipxe"] {
        let script = install.get(&format!("/boot/{name}"), "").await;
        assert_eq!((script.status, script.header("cache-control")), (200, Some("no-store")));
        let text = String::from_utf8(script.body).unwrap();
        assert!(text.contains("kernel vmlinuz console=ttyS0 || goto failed"), "{text}");
        assert!(text.contains("imgfree\n"));
    }
    install.events.wait_for("iPXE got autoexec.ipxe: start the installer").await;
    let disk = rig_with(Limits::default(), |_| BootAnswer::LocalDisk(DiskWay::Sanboot)).await;
    let text = String::from_utf8(disk.get("/boot/boot.ipxe", "").await.body).unwrap();
    assert!(text.contains("sanboot"), "{text}");
    let event = disk.events.wait_for("its firmware was sent on to the disk").await;
    assert_eq!(event.what, What::LedToDisk, "not a script that starts something");
    assert_eq!(disk.head("/boot/boot-from-disk").await.status, 404);
    let event = disk.events.wait_for("its firmware was sent on to the disk").await;
    assert_eq!(event.what.severity(), Severity::Normal);
    let denied = rig_with(Limits::default(), |client| {
        assert_eq!(client.peer, Some([127, 0, 0, 1].into()));
        BootAnswer::AddressOnly("quarantined; ${evil} || shell".into())
    })
    .await;
    let text = String::from_utf8(denied.get("/boot/boot.ipxe", "").await.body).unwrap();
    assert_eq!(text.lines().nth(1), Some("echo Cairn: quarantined_ __evil_ __ shell"));
}

#[tokio::test]
async fn a_client_that_hangs_up_is_told_of_with_how_far_it_got() {
    let rig = rig().await;
    // More than the socket buffers of both ends hold, or the server would never notice.
    let (bytes, len) = (vec![9; 30_000_000], 30_000_000);
    let digest = Digest::of(&bytes);
    std::fs::write(rig.folder.path().join(digest.to_string()), bytes).unwrap();
    let mut stream = TcpStream::connect(rig.addr).await.unwrap();
    let ask = format!("GET /artifacts/sha256/{digest} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut some = [0; 1000];
    stream.read_exact(&mut some).await.unwrap();
    drop(stream);
    let event = rig.events.wait_for("by HTTP broke off after").await;
    let What::FileBroken { sent, of, .. } = event.what else { panic!("{event:?}") };
    assert!(sent < of && of == len);
}

#[tokio::test]
async fn a_client_that_takes_nothing_loses_its_place() {
    let limits = Limits { silence: Duration::from_millis(300), ..Limits::default() };
    let rig = rig_with(limits, installer).await;
    std::fs::write(rig.folder.path().join("big"), vec![7; 30_000_000]).unwrap();
    let mut stream = TcpStream::connect(rig.addr).await.unwrap();
    let zeros = Digest::of(&vec![7; 30_000_000]);
    std::fs::rename(rig.folder.path().join("big"), rig.folder.path().join(zeros.to_string())).unwrap();
    stream
        .write_all(format!("GET /artifacts/sha256/{zeros} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
        .await
        .unwrap();
    rig.events.wait_for("broke off after").await;
}

#[tokio::test]
async fn slow_headers_and_too_many_connections_are_bounded() {
    let limits = Limits { per_client: 2, headers: Duration::from_millis(400), ..Limits::default() };
    let rig = rig_with(limits, installer).await;
    let mut slow = TcpStream::connect(rig.addr).await.unwrap();
    slow.write_all(b"GET /boot/vml").await.unwrap();
    let second = TcpStream::connect(rig.addr).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut third = TcpStream::connect(rig.addr).await.unwrap();
    let mut nothing = Vec::new();
    let got = third.read_to_end(&mut nothing).await.unwrap_or(0);
    assert_eq!(got, 0, "closed at once");
    rig.events.wait_for("HTTP is busy (connections)").await;
    let ended = tokio::time::timeout(Duration::from_secs(5), slow.read_to_end(&mut nothing)).await;
    assert!(ended.is_ok(), "the slow one is closed");
    drop(second);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(rig.head("/boot/vmlinuz").await.status, 200, "places are given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_fetches_and_resumes() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no curl");
        return;
    }
    let rig = rig().await;
    let out = rig.folder.path().join("out");
    std::fs::write(&out, &pattern(3_000_000)[..1_234_567]).unwrap();
    let url = format!("http://{}/boot/disk.img", rig.addr);
    let to = out.clone();
    let ran = tokio::task::spawn_blocking(move || {
        Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "-C", "-", "-o"])
            .arg(to)
            .arg(url)
            .output()
    });
    let ran = ran.await.unwrap().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(std::fs::read(&out).unwrap(), pattern(3_000_000));
    rig.events.wait_for("got disk.img by HTTP, 1765433 bytes").await;
}
