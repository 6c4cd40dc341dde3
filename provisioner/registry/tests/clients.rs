//! Real clients: skopeo, and ctr with a containerd of its own, push to the registry and pull from it.
//!
//! They are needed: `apt-get install skopeo containerd` (cargo xtask test does that). containerd must be started by root.

#![allow(clippy::unwrap_used, reason = "a test")]

mod served;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use cairn_registry::{Access, Action, ArchiveLimits, Limits, Reference, RepositoryName};
use http::StatusCode;
use served::{Served, header, json_of, layout};
use tempfile::TempDir;

/// Runs a program to its end on a thread for that; what it printed.
async fn run(program: &str, words: &[&str], home: &Path) -> Result<String, String> {
    let mut command = Command::new(program);
    command
        .args(words)
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home)
        .env("TMPDIR", home)
        .stdin(Stdio::null());
    let said = format!("{program} {}", words.join(" "));
    let missing = format!("these tests need {program}: install it with `apt-get install skopeo containerd`");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect(&missing);
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!(
        "{said}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

struct Skopeo {
    home: TempDir,
}

impl Skopeo {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    async fn run(&self, words: &[&str]) -> Result<String, String> {
        run("skopeo", &[&["--insecure-policy"], words].concat(), self.home.path()).await
    }

    /// Copies without TLS at either end.
    async fn copy(&self, more: &[&str], from: &str, to: &str) -> Result<String, String> {
        let plain = ["copy", "--src-tls-verify=false", "--dest-tls-verify=false"];
        self.run(&[&plain, more, &[from, to]].concat()).await
    }
}

fn digest_of_layout(folder: &Path) -> String {
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    index["manifests"][0]["digest"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_pushes_pulls_lists_and_deletes() {
    let registry = Served::start().await;
    let skopeo = Skopeo::new();
    let manifest = layout::write(&skopeo.path("from"), "v1", &vec![b'x'; 3 << 20]);
    let from = format!("oci:{}:v1", skopeo.path("from").display());
    let at = format!("docker://{}/team/app", registry.address);
    // As clients do when they may: compressed, so another manifest.
    skopeo.copy(&[], &from, &format!("{at}:zipped")).await.unwrap();
    skopeo.copy(&["--preserve-digests"], &from, &format!("{at}:v1")).await.unwrap();
    // As Docker's own manifest.
    skopeo.copy(&["--format", "v2s2"], &from, &format!("{at}:docker")).await.unwrap();
    let answer = registry.get("/v2/team/app/manifests/v1").await;
    assert_eq!(header(&answer, "docker-content-digest"), manifest);
    let tags = json_of(&registry.get("/v2/team/app/tags/list").await)["tags"].clone();
    assert_eq!(tags, serde_json::json!(["docker", "v1", "zipped"]));
    for (tag, how) in [("v1", &["--preserve-digests"][..]), ("docker", &[]), ("zipped", &[])] {
        let to = format!("oci:{}:x", skopeo.path(tag).display());
        skopeo.copy(how, &format!("{at}:{tag}"), &to).await.unwrap();
    }
    assert_eq!(digest_of_layout(&skopeo.path("v1")), manifest);
    let listed = skopeo.run(&["list-tags", "--tls-verify=false", &at]).await.unwrap();
    assert!(["docker", "v1", "zipped"].iter().all(|tag| listed.contains(tag)), "{listed}");
    skopeo.run(&["delete", "--tls-verify=false", &format!("{at}:v1")]).await.unwrap();
    assert_eq!(registry.get("/v2/team/app/manifests/v1").await.status(), StatusCode::NOT_FOUND);
    let gone = format!("dir:{}", skopeo.path("gone").display());
    skopeo.copy(&[], &format!("{at}@{manifest}"), &gone).await.unwrap_err();
    skopeo.run(&["inspect", "--tls-verify=false", &format!("{at}:zipped")]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_copies_from_one_repository_to_another() {
    let registry = Served::start().await;
    let skopeo = Skopeo::new();
    let manifest = layout::write(&skopeo.path("from"), "v1", b"content");
    let from = format!("oci:{}:v1", skopeo.path("from").display());
    let at = format!("docker://{}", registry.address);
    skopeo.copy(&["--preserve-digests"], &from, &format!("{at}/one:v1")).await.unwrap();
    skopeo
        .copy(&["--preserve-digests", "--all"], &format!("{at}/one:v1"), &format!("{at}/two:v1"))
        .await
        .unwrap();
    let answer = registry.get(&format!("/v2/two/manifests/{manifest}")).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_is_told_what_it_may_not() {
    let may_pull: Arc<dyn Access> = Arc::new(|_: &RepositoryName, action| action == Action::Pull);
    let registry = Served::with(may_pull, Limits::default()).await;
    let skopeo = Skopeo::new();
    layout::write(&skopeo.path("from"), "v1", b"content");
    let from = format!("oci:{}:v1", skopeo.path("from").display());
    let error = skopeo.copy(&[], &from, &format!("docker://{}/a:v1", registry.address)).await.unwrap_err();
    assert!(error.contains("denied") || error.contains("403"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeos_archives_are_imported_and_exports_read() {
    let registry = Served::start().await;
    let skopeo = Skopeo::new();
    let manifest = layout::write(&skopeo.path("from"), "v1", &vec![b'y'; 1 << 20]);
    let from = format!("oci:{}:v1", skopeo.path("from").display());
    let (oci, docker) = (skopeo.path("oci.tar"), skopeo.path("docker.tar"));
    skopeo.copy(&["--preserve-digests"], &from, &format!("oci-archive:{}:v2", oci.display())).await.unwrap();
    skopeo.copy(&[], &from, &format!("docker-archive:{}:some/app:v3", docker.display())).await.unwrap();
    let name: RepositoryName = "imported".parse().unwrap();
    for archive in [&oci, &docker] {
        let file = fs::File::open(archive).unwrap();
        registry.registry.import_archive(file, &name, ArchiveLimits::default()).await.unwrap();
    }
    let tags = json_of(&registry.get("/v2/imported/tags/list").await)["tags"].clone();
    assert_eq!(tags, serde_json::json!(["v2", "v3"]));
    let answer = registry.get("/v2/imported/manifests/v2").await;
    assert_eq!(header(&answer, "docker-content-digest"), manifest);
    for tag in ["v2", "v3"] {
        let at = format!("docker://{}/imported:{tag}", registry.address);
        skopeo.copy(&[], &at, &format!("oci:{}:x", skopeo.path(tag).display())).await.unwrap();
    }
    let tagged = vec![Reference::Tag("v2".parse().unwrap())];
    let out = skopeo.path("out.tar");
    registry.registry.export_archive(fs::File::create(&out).unwrap(), &name, tagged).await.unwrap();
    skopeo
        .copy(
            &["--preserve-digests"],
            &format!("oci-archive:{}:v2", out.display()),
            &format!("oci:{}:x", skopeo.path("out").display()),
        )
        .await
        .unwrap();
    assert_eq!(digest_of_layout(&skopeo.path("out")), manifest);
}

/// A containerd in a folder of its own.
struct Containerd {
    folder: TempDir,
    child: Child,
}

impl Containerd {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "version = 2\nroot = \"{}\"\nstate = \"{}\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.internal.v1.opt\"]\n\
             [grpc]\naddress = \"{}\"\n[ttrpc]\naddress = \"{}\"\n",
            at("root"),
            at("state"),
            at("sock"),
            at("ttrpc")
        );
        fs::write(folder.path().join("config.toml"), config).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("containerd")
            .arg("--config")
            .arg(folder.path().join("config.toml"))
            .stderr(log)
            .stdout(Stdio::null())
            .spawn();
        let child = child.expect("these tests need containerd: install it with `apt-get install containerd`");
        let this = Self { folder, child };
        let until = Instant::now() + Duration::from_secs(60);
        while let Err(error) = this.ctr(&["version"]).await {
            let log = fs::read_to_string(this.folder.path().join("log")).unwrap();
            assert!(Instant::now() < until, "containerd does not answer: {error}\n{log}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        this
    }

    async fn ctr(&self, words: &[&str]) -> Result<String, String> {
        let socket = self.folder.path().join("sock").display().to_string();
        run("ctr", &[&["--address", &socket], words].concat(), self.folder.path()).await
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn containerd_pulls_unpacks_and_pushes_back() {
    let registry = Served::start().await;
    let containerd = Containerd::start().await;
    let folder = tempfile::tempdir().unwrap();
    let manifest = layout::write(&folder.path().join("from"), "v1", &vec![b'z'; 2 << 20]);
    let tar = fs::File::create(folder.path().join("from.tar")).unwrap();
    let mut tar = tar::Builder::new(tar);
    tar.append_dir_all("", folder.path().join("from")).unwrap();
    tar.into_inner().unwrap();
    let archive = fs::File::open(folder.path().join("from.tar")).unwrap();
    let name: RepositoryName = "team/app".parse().unwrap();
    let imported = registry.registry.import_archive(archive, &name, ArchiveLimits::default()).await.unwrap();
    assert_eq!(imported.images.len(), 1);

    let at = format!("{}/team/app:v1", registry.address);
    containerd.ctr(&["images", "pull", "--plain-http", "--snapshotter", "native", &at]).await.unwrap();
    let listed = containerd.ctr(&["images", "list"]).await.unwrap();
    assert!(listed.contains(&manifest), "{listed}");
    let mounted = containerd.folder.path().join("mounted").display().to_string();
    fs::create_dir(&mounted).unwrap();
    containerd.ctr(&["images", "mount", "--snapshotter", "native", &at, &mounted]).await.unwrap();
    let hello = fs::read(Path::new(&mounted).join("hello"));
    containerd.ctr(&["images", "unmount", &mounted]).await.unwrap();
    assert_eq!(hello.unwrap().len(), 2 << 20);

    let back = format!("{}/pushed/back:v2", registry.address);
    containerd.ctr(&["images", "tag", &at, &back]).await.unwrap();
    containerd.ctr(&["images", "push", "--plain-http", &back]).await.unwrap();
    let answer = registry.get("/v2/pushed/back/manifests/v2").await;
    assert_eq!(header(&answer, "docker-content-digest"), manifest);

    let exported = containerd.folder.path().join("exported.tar").display().to_string();
    containerd.ctr(&["images", "export", &exported, &back]).await.unwrap();
    let (archive, name) = (fs::File::open(&exported).unwrap(), "from/ctr".parse().unwrap());
    let imported = registry.registry.import_archive(archive, &name, ArchiveLimits::default()).await.unwrap();
    assert_eq!(imported.images[0].1.as_ref().map(|tag| tag.as_str()), Some("v2"));
    let answer = registry.get("/v2/from/ctr/manifests/v2").await;
    assert_eq!(header(&answer, "docker-content-digest"), manifest);
}
