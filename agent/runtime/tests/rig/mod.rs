//! A private containerd, a real registry and small images, in a network and a mount namespace of the test's own.
//!
//! A test runs its own program again inside; nothing of it is left on the machine.

#![allow(clippy::unwrap_used, reason = "tests panic")]
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cairn_contract::Digest;
use cairn_contract::workload::{Application, Body, Container, Phase, Release, Secrets, Vm};
use cairn_runtime::container::Network;
use cairn_runtime::image::{Dial, Dialled, Duplex, HttpRegistry};
use cairn_runtime::units::Children;
use cairn_runtime::{Config, Runtime, Seen};
use serde_json::{Value, json};
use uuid::Uuid;

const INSIDE: &str = "CAIRN_RIG_INSIDE";
const SOON: Duration = Duration::from_secs(60);

/// Runs the test `name` inside namespaces of its own.
#[track_caller]
pub(crate) fn inside(name: &str, test: impl Future<Output = ()>) {
    if std::env::var_os(INSIDE).is_none() {
        let program = std::env::current_exe().unwrap();
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "--mount", "--propagation", "private"]).arg(program);
        let status = unshare.args(["--exact", name, "--nocapture"]).env(INSIDE, "1").status().unwrap();
        assert!(status.success(), "{name} failed inside its namespaces: see above");
        return;
    }
    run("ip", &["link", "set", "lo", "up"]);
    for folder in ["/run/containerd", "/var/lib/cni"] {
        std::fs::create_dir_all(folder).unwrap();
        run("mount", &["-t", "tmpfs", "tmpfs", folder]);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test);
}

pub(crate) fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What runs beside a test; ended with it.
pub(crate) struct Rig {
    pub(crate) folder: PathBuf,
    pub(crate) registry: SocketAddr,
    pub(crate) containerd: Option<Child>,
    server: Child,
    keep: Option<tempfile::TempDir>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let keep = tempfile::Builder::new().prefix("cairn-rt-").tempdir().unwrap();
        let folder = keep.path().to_owned();
        let config = format!(
            "version = 2\nroot = \"{0}/cd/root\"\nstate = \"{0}/cd/state\"\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = \"{0}/cd.sock\"\n",
            folder.display()
        );
        std::fs::write(folder.join("containerd.toml"), config).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}/registry}}}}\n\
             http: {{addr: \"127.0.0.1:{port}\"}}\n",
            folder.display()
        );
        std::fs::write(folder.join("registry.yml"), config).unwrap();
        let log = std::fs::File::create(folder.join("registry.log")).unwrap();
        let mut server = Command::new("docker-registry");
        server.arg("serve").arg(folder.join("registry.yml")).stdout(log.try_clone().unwrap()).stderr(log);
        let server = server.spawn().unwrap();
        let registry = SocketAddr::from(([127, 0, 0, 1], port));
        let mut rig = Self { folder, registry, containerd: None, server, keep: Some(keep) };
        rig.start_containerd();
        wait("the registry", || TcpStream::connect(registry).is_ok());
        rig
    }

    pub(crate) fn start_containerd(&mut self) {
        let program = std::env::var("CONTAINERD_BIN").unwrap_or_else(|_| "containerd".to_owned());
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("cd.log")).unwrap();
        let mut command = Command::new(program);
        command.arg("-c").arg(self.folder.join("containerd.toml"));
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.containerd = Some(command.spawn().unwrap());
        let socket = self.folder.join("cd.sock");
        wait("containerd", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    }

    pub(crate) fn stop_containerd(&mut self) {
        if let Some(mut child) = self.containerd.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn ctr(&self, args: &[&str]) -> String {
        let socket = self.folder.join("cd.sock");
        let mut all = vec!["-a", socket.to_str().unwrap(), "-n", "cairn"];
        all.extend(args);
        run("ctr", &all)
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            containerd: self.folder.join("cd.sock"),
            run: self.folder.join("run"),
            state: self.folder.join("state"),
            network: Network {
                plugins: "/usr/lib/cni".into(),
                bridge: "cairn0".into(),
                subnet: "10.87.0.0/24".into(),
                addresses: self.folder.join("run/addresses"),
            },
            host_paths: vec![self.folder.join("shown")],
            qemu: "/usr/bin/qemu-system-x86_64".into(),
            qemu_img: "/usr/bin/qemu-img".into(),
            vm_user: None,
            vm_grace: Duration::from_millis(300),
        }
    }

    pub(crate) fn registry_client(&self) -> HttpRegistry {
        HttpRegistry::new(self.registry.to_string(), Arc::new(Plain(self.registry)))
    }

    /// The agent's runtime; another one is another start of the agent.
    pub(crate) fn runtime(&self) -> Runtime {
        let units = Arc::new(Children::open(&self.folder.join("units")).unwrap());
        Runtime::open(self.config(), units, Arc::new(self.registry_client())).unwrap()
    }

    /// Makes an image with this configuration and pushes it.
    pub(crate) fn push(&self, name: &str, config: &Value) {
        let archive = self.archive(name, config);
        let from = format!("oci-archive:{}", archive.display());
        let to = format!("docker://{}/{name}", self.registry);
        run("skopeo", &["copy", "-q", "--insecure-policy", "--dest-tls-verify=false", &from, &to]);
    }

    pub(crate) fn archive(&self, name: &str, config: &Value) -> PathBuf {
        let path = self.folder.join(format!("{}.tar", name.replace(['/', ':'], "-")));
        std::fs::write(&path, oci_archive(name, &busybox_layer(), config)).unwrap();
        path
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["cd.log", "registry.log"] {
                let text = std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
                let told = text.lines().rev().filter(|l| l.contains("error") && !l.contains("blob unknown"));
                let tail: Vec<&str> = told.take(15).collect();
                eprintln!("--- {name}");
                tail.iter().rev().for_each(|l| eprintln!("{l}"));
            }
        }
        if self.containerd.is_some() {
            self.sweep();
        }
        self.stop_containerd();
        let _ended = self.server.kill();
        let _ended = self.server.wait();
        drop(self.keep.take());
    }
}

impl Rig {
    /// A test that failed leaves containers: they are ended, so that nothing of it stays.
    fn sweep(&self) {
        let socket = self.folder.join("cd.sock");
        let ctr = |args: &[&str]| {
            let output = Command::new("ctr").arg("-a").arg(&socket).args(["-n", "cairn"]).args(args).output();
            output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default()
        };
        for id in ctr(&["task", "ls", "-q"]).lines() {
            ctr(&["task", "kill", "-s", "9", "-a", id]);
            ctr(&["task", "rm", "-f", id]);
        }
    }
}

#[track_caller]
pub(crate) fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < SOON, "{what} does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

struct Plain(SocketAddr);

impl Dial for Plain {
    fn dial(&self) -> Dialled<'_> {
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(self.0).await?;
            Ok(Box::new(stream) as Box<dyn Duplex>)
        })
    }
}

/// A tiny root: busybox, users, a page.
fn busybox_layer() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, mode: u32, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        tar.append_data(&mut header, path, bytes).unwrap();
    };
    let busybox = std::fs::read("/bin/busybox").unwrap();
    add("bin/busybox", 0o755, &busybox);
    add("etc/passwd", 0o644, b"root:x:0:0::/:/bin/sh\nweb:x:33:34::/:/bin/sh\n");
    add("etc/group", 0o644, b"root:x:0:\nweb:x:34:\n");
    add("www/index.html", 0o644, b"hello from cairn\n");
    add("tmp/.keep", 0o644, b"");
    for name in ["sh", "sleep", "echo", "cat", "id", "httpd", "dd", "stty", "ls", "tail"] {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        tar.append_link(&mut header, format!("bin/{name}"), "busybox").unwrap();
    }
    tar.into_inner().unwrap()
}

/// An OCI archive of one layer; the same for the same arguments.
pub(crate) fn oci_archive(name: &str, layer: &[u8], config: &Value) -> Vec<u8> {
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(layer).unwrap();
    let zipped = zipped.finish().unwrap();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", Digest::of(layer))]},
    });
    let layers = [("application/vnd.oci.image.layer.v1.tar+gzip", zipped)];
    archive_of(name, "application/vnd.oci.image.config.v1+json", config.to_string().as_bytes(), &layers)
}

/// An OCI archive of these blobs.
pub(crate) fn archive_of(
    name: &str,
    config_type: &str,
    config: &[u8],
    layers: &[(&str, Vec<u8>)],
) -> Vec<u8> {
    let describe = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": format!("sha256:{}", Digest::of(bytes)), "size": bytes.len()});
    let described: Vec<Value> = layers.iter().map(|(kind, bytes)| describe(kind, bytes)).collect();
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2, "mediaType": manifest_type, "config": describe(config_type, config), "layers": described,
    })
    .to_string();
    let mut entry = describe(manifest_type, manifest.as_bytes());
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
    let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: String, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, bytes).unwrap();
    };
    add("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#);
    add("index.json".into(), index.as_bytes());
    let blobs = layers.iter().map(|(_, b)| b.as_slice()).chain([manifest.as_bytes(), config]);
    let blobs: BTreeMap<Digest, &[u8]> = blobs.map(|b| (Digest::of(b), b)).collect();
    for (digest, bytes) in blobs {
        add(format!("blobs/sha256/{digest}"), bytes);
    }
    tar.into_inner().unwrap()
}

/// A release of one container.
pub(crate) fn release(deployment: Uuid, revision: &str, container: Value) -> (Release, Application) {
    let container: Container = serde_json::from_value(container).unwrap();
    of_body(deployment, revision, Body::Container(Box::new(container)))
}

/// A release of one machine.
pub(crate) fn vm_release(deployment: Uuid, revision: &str, vm: Value) -> (Release, Application) {
    let vm: Vm = serde_json::from_value(vm).unwrap();
    of_body(deployment, revision, Body::Vm(Box::new(vm)))
}

fn of_body(deployment: Uuid, revision: &str, body: Body) -> (Release, Application) {
    let application = Application { name: "web".into(), patience_s: 60, body };
    let revision = Digest::of(revision.as_bytes());
    let release =
        Release { deployment, name: "test".into(), revision, applications: vec![application.clone()] };
    (release, application)
}

pub(crate) fn none() -> Secrets {
    Secrets { values: BTreeMap::new() }
}

pub(crate) fn ensure(runtime: &Runtime, (release, application): &(Release, Application)) {
    runtime.ensure(release, application, &none()).unwrap();
}

/// The one application, once it is as wanted.
pub(crate) async fn until(runtime: &Runtime, wanted: impl Fn(&Seen) -> bool) -> Seen {
    let began = Instant::now();
    let mut last = None;
    loop {
        let seen = runtime.observe().into_iter().next();
        match seen {
            Some(seen) if wanted(&seen) => return seen,
            seen => {
                if seen != last {
                    eprintln!(
                        "{:.1} s: {:?}",
                        began.elapsed().as_secs_f32(),
                        seen.as_ref().map(|s| &s.application)
                    );
                }
                last = seen;
            }
        }
        assert!(began.elapsed() < SOON, "it does not get there: {last:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn ready(seen: &Seen) -> bool {
    seen.application.phase == Phase::Ready
}

pub(crate) fn reason(word: &'static str) -> impl Fn(&Seen) -> bool {
    move |seen| seen.application.reason == word
}

/// An HTTP GET; the whole answer.
pub(crate) fn get(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What lies in a folder that may not be there.
pub(crate) fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

pub(crate) fn quiet(command: &mut Command) -> &mut Command {
    command.stdout(Stdio::null()).stderr(Stdio::null())
}
