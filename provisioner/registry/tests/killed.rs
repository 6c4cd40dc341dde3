//! What is left when the process is killed in the middle of a push (SIGKILL), and when the disk is full.
//!
//! Has a `main` of its own: the one who is killed is this same program, started again with `serve` as its first word.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test; it speaks to its parent")]

mod served;

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use cairn_contract::Digest;
use cairn_registry::{Limits, Registry};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use libtest_mimic::{Arguments, Trial};
use serde_json::json;
use served::{Served, code, digest, header, image, open, send};
use tokio::{io::AsyncWriteExt as _, net::TcpListener, net::TcpStream, task::JoinSet};

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    if let [first, folder] = words.as_slice()
        && first == "serve"
    {
        return runtime().block_on(victim(Path::new(folder)));
    }
    let story = |name: &str, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    let stories = vec![
        story("what_was_acknowledged_is_whole", || runtime().block_on(what_was_acknowledged_is_whole())),
        story("an_upload_goes_on_after_the_kill", || runtime().block_on(an_upload_goes_on_after_the_kill())),
        story("a_full_disk_is_said_and_leaves_nothing", || {
            runtime().block_on(a_full_disk_is_said_and_leaves_nothing());
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), stories).exit();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn victim(folder: &Path) {
    let registry = Registry::open(folder, Limits::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    served::serve(registry, open(), listener).await;
}

struct Victim {
    child: Child,
    address: SocketAddr,
}

impl Victim {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().expect("the registry did not start") }
    }

    fn over(folder: &Path) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.arg("serve").arg(folder);
        Self::start(command)
    }

    async fn ask(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Response<Bytes> {
        let request = Request::builder().method(method).uri(path).header("host", "registry");
        let kind = if path.contains("/manifests/") { served::IMAGE } else { "application/octet-stream" };
        send(self.address, request.header("content-type", kind).body(Full::new(body.into())).unwrap()).await
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Pushes image after image until the connection breaks; the tags that were acknowledged.
async fn push_until_killed(address: SocketAddr) -> Vec<(String, String)> {
    let mut acknowledged = Vec::new();
    for round in 0.. {
        let layer = format!("layer {round} {}", "x".repeat(300_000));
        let manifest = image("{}", &layer, json!({}));
        let blob = |content: &str| {
            let path = format!("/v2/a/b/blobs/uploads/?digest={}", digest(content.as_bytes()));
            request("POST", &path, content.to_owned())
        };
        let tag = format!("v{round}");
        let put = request("PUT", &format!("/v2/a/b/manifests/{tag}"), manifest.clone());
        for request in [blob("{}"), blob(&layer), put] {
            match try_send(address, request).await {
                Some(StatusCode::CREATED) => {}
                Some(other) => panic!("{other}"),
                None => return acknowledged,
            }
        }
        acknowledged.push((tag, manifest));
    }
    acknowledged
}

fn request(method: &str, path: &str, body: String) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path).header("host", "registry");
    request.header("content-type", served::IMAGE).body(Full::new(body.into())).unwrap()
}

/// Nothing when the other end is gone.
async fn try_send(address: SocketAddr, request: Request<Full<Bytes>>) -> Option<StatusCode> {
    let stream = TcpStream::connect(address).await.ok()?;
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.ok()?;
    let mut driver = JoinSet::new();
    driver.spawn(async move { drop(connection.await) });
    Some(sender.send_request(request).await.ok()?.status())
}

async fn what_was_acknowledged_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for round in 0..8_u64 {
        let mut victim = Victim::over(folder.path());
        let address = victim.address;
        let mut pushing = JoinSet::new();
        pushing.spawn(push_until_killed(address));
        tokio::time::sleep(Duration::from_millis(60 + 37 * round)).await;
        victim.child.kill().unwrap();
        all.extend(pushing.join_next().await.unwrap().unwrap());
    }
    assert!(!all.is_empty(), "nothing was pushed");
    let registry = Served::over(folder.path(), open(), Limits::default()).await;
    for (tag, manifest) in &all {
        let answer = registry.get(&format!("/v2/a/b/manifests/{tag}")).await;
        assert_eq!(&answer.body()[..], manifest.as_bytes(), "{tag}");
    }
    let tags = served::json_of(&registry.get("/v2/a/b/tags/list").await)["tags"].clone();
    for tag in tags.as_array().unwrap() {
        each_blob_is_whole(&registry, tag.as_str().unwrap()).await;
    }
    names_tell_the_truth(folder.path());
    // One day later nothing is left of what was interrupted.
    let later = fs::metadata(folder.path()).unwrap().modified().unwrap() + Duration::from_secs(3 * 86_400);
    registry.registry.collect(later, Duration::from_secs(60)).await.unwrap();
    assert_eq!(fs::read_dir(folder.path().join("registry/uploads")).unwrap().count(), 0);
    for tag in tags.as_array().unwrap() {
        each_blob_is_whole(&registry, tag.as_str().unwrap()).await;
    }
}

async fn each_blob_is_whole(registry: &Served, tag: &str) {
    let manifest = served::json_of(&registry.get(&format!("/v2/a/b/manifests/{tag}")).await);
    for name in [&manifest["config"]["digest"], &manifest["layers"][0]["digest"]] {
        let name = name.as_str().unwrap();
        let answer = registry.get(&format!("/v2/a/b/blobs/{name}")).await;
        assert_eq!((answer.status(), digest(answer.body())), (StatusCode::OK, name.to_owned()));
    }
}

/// Every file whose name is a digest has it.
fn names_tell_the_truth(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names_tell_the_truth(&path);
        } else if let Ok(named) = path.file_stem().unwrap().to_str().unwrap().parse::<Digest>() {
            assert_eq!(Digest::of(&fs::read(&path).unwrap()), named, "{}", path.display());
        }
    }
}

async fn an_upload_goes_on_after_the_kill() {
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let victim = Victim::over(folder.path());
    let begun = victim.ask("POST", "/v2/a/blobs/uploads/", "").await;
    let place = header(&begun, "location");
    // The first half of a body that announces all of it.
    let mut stream = TcpStream::connect(victim.address).await.unwrap();
    let head = format!("PATCH {place} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", content.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&content[..2_500_000]).await.unwrap();
    let upload = || fs::read_dir(folder.path().join("registry/uploads")).unwrap().next().unwrap().unwrap();
    while upload().metadata().unwrap().len() < 1 << 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(victim);
    let victim = Victim::over(folder.path());
    let there = header(&victim.ask("GET", &place, "").await, "range");
    let last: usize = there.strip_prefix("0-").unwrap().parse().unwrap();
    assert!(last + 1 >= 1 << 20 && last < 2_500_000, "{there}");
    let rest = content[last + 1..].to_vec();
    assert_eq!(victim.ask("PATCH", &place, rest).await.status(), StatusCode::ACCEPTED);
    let end = victim.ask("PUT", &format!("{place}?digest={}", digest(&content)), "").await;
    assert_eq!(end.status(), StatusCode::CREATED);
    let answer = victim.ask("GET", &header(&end, "location"), "").await;
    assert!(answer.body()[..] == content[..]);
}

/// The registry in a mount namespace of its own, over a file system of 4 MiB.
async fn a_full_disk_is_said_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o size=4m none \"$1\" && exec \"$0\" serve \"$1\"";
    command.args(["--mount", "sh", "-c", script]).arg(env::current_exe().unwrap()).arg(folder.path());
    let victim = Victim::start(command);
    let large: Vec<u8> = vec![7; 6 << 20];
    let place = header(&victim.ask("POST", "/v2/a/blobs/uploads/", "").await, "location");
    let answer = victim.ask("PATCH", &place, large.clone()).await;
    assert_eq!((answer.status(), code(&answer)), (StatusCode::INSUFFICIENT_STORAGE, "UNKNOWN".into()));
    assert!(String::from_utf8_lossy(answer.body()).contains("disk is full"));
    assert_eq!(victim.ask("GET", &place, "").await.status(), StatusCode::NOT_FOUND);
    let path = format!("/v2/a/blobs/uploads/?digest={}", digest(&large));
    assert_eq!(victim.ask("POST", &path, large.clone()).await.status(), StatusCode::INSUFFICIENT_STORAGE);
    let blob = format!("/v2/a/blobs/{}", digest(&large));
    assert_eq!(victim.ask("HEAD", &blob, "").await.status(), StatusCode::NOT_FOUND);
    // The space is there again, for all of it.
    let fits: Vec<u8> = vec![8; 3 << 20];
    let path = format!("/v2/a/blobs/uploads/?digest={}", digest(&fits));
    assert_eq!(victim.ask("POST", &path, fits.clone()).await.status(), StatusCode::CREATED);
    let answer = victim.ask("GET", &format!("/v2/a/blobs/{}", digest(&fits)), "").await;
    assert!(answer.body()[..] == fits[..]);
}
