//! Builds Kubernetes 1.20.2 from Debian's source package, about eleven minutes of one processor, once for each machine.
//!
//! The folder is named by a hash of the source's `.dsc` and of this recipe; a pointer named by the recipe alone tells which one
//! to use, so that tests need no package lists. The source tree is removed afterwards; only the programs stay.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cairn_apt::{FetchError, SourceError, machine_sources, render};
use sha2::{Digest as _, Sha256};

/// Grows when what is done below changes what comes out.
const REVISION: &str = "1";
const GO: &str = "/usr/lib/go-1.19/bin";
/// The vendored reflect2 1.0.1 reads the runtime's tables in a way that Go 1.18 and later made wrong: processes die at random.
const REFLECT2: &str = "vendor/github.com/modern-go/reflect2";
const PROGRAMS: [&str; 7] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kubeadm",
    "kube-proxy",
    "kubectl",
];
const SUITES: [&str; 2] = ["bookworm", "bookworm-security"];

/// Why Kubernetes could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file or folder could not be used.
    #[error("cannot use {path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The machine's apt sources could not be read.
    #[error("cannot read this machine's apt sources")]
    Sources(#[from] SourceError),
    /// A package could not be had.
    #[error("cannot get a package")]
    Fetch(#[from] FetchError),
    /// A program failed.
    #[error("{program} failed with {status}: {said}")]
    Failed {
        /// Which.
        program: String,
        /// How it ended.
        status: String,
        /// The end of what it said.
        said: String,
    },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BuildError + '_ {
    move |source| BuildError::Io { path: path.to_owned(), source }
}

/// `$CAIRN_CACHE`, else `~/.cache/cairn`.
fn cache() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".cache/cairn"));
    let chosen = std::env::var_os("CAIRN_CACHE").map(PathBuf::from).or_else(home);
    chosen.unwrap_or_else(|| PathBuf::from("/var/cache/cairn"))
}

fn hash(inputs: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for input in inputs {
        hasher.update(u64::try_from(input.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(input);
    }
    hasher.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect()
}

fn recipe() -> String {
    let mut inputs = vec![REVISION, GO, REFLECT2];
    inputs.extend(PROGRAMS);
    hash(&inputs)
}

fn pointer() -> PathBuf {
    cache().join(format!("kube-recipe-{}", recipe()))
}

/// The folder that an earlier [`build`] of this recipe made.
#[must_use]
pub fn built() -> Option<PathBuf> {
    let folder = PathBuf::from(fs::read_to_string(pointer()).ok()?.trim());
    PROGRAMS.iter().all(|p| folder.join(p).is_file()).then_some(folder)
}

/// Builds Kubernetes unless that was done before, and gives the folder of its programs.
///
/// # Errors
/// When the source cannot be had or does not build.
pub fn build() -> Result<PathBuf, BuildError> {
    if let Some(folder) = built() {
        return Ok(folder);
    }
    let cache = cache();
    fs::create_dir_all(&cache).map_err(at(&cache))?;
    let lock = cache.join("kube.lock");
    let held = fs::File::create(&lock).map_err(at(&lock))?;
    held.lock().map_err(at(&lock))?;
    // Another process may have built it while this one waited.
    if let Some(folder) = built() {
        return Ok(folder);
    }
    let work = tempfile::Builder::new().prefix("kube-build-").tempdir_in(&cache).map_err(at(&cache))?;
    let source = Source::fetch(work.path())?;
    let folder = cache.join(format!("kube-{}", hash(&[&recipe(), &source.dsc])));
    source.make()?;
    keep(&source.tree.join("_output/bin"), &folder)?;
    let text = format!("{}\n", folder.display());
    fs::write(pointer(), text).map_err(at(&pointer()))?;
    writable(work.path());
    Ok(folder)
}

/// Moves the programs into a folder that appears whole.
fn keep(made: &Path, folder: &Path) -> Result<(), BuildError> {
    let new = folder.with_extension("new");
    let _ = fs::remove_dir_all(&new);
    fs::create_dir_all(&new).map_err(at(&new))?;
    for program in PROGRAMS {
        let from = made.join(program);
        fs::copy(&from, new.join(program)).map_err(at(&from))?;
    }
    let _ = fs::remove_dir_all(folder);
    fs::rename(&new, folder).map_err(at(folder))
}

/// Go makes its module folders read-only, which would keep them from being removed by somebody who is not root.
fn writable(folder: &Path) {
    let _ = Command::new("chmod").arg("-R").arg("u+w").arg(folder).status();
}

/// The unpacked source.
struct Source {
    tree: PathBuf,
    work: PathBuf,
    dsc: String,
}

impl Source {
    fn fetch(work: &Path) -> Result<Self, BuildError> {
        let apt = Apt::open(&work.join("apt"))?;
        let packages = work.join("packages");
        fs::create_dir_all(&packages).map_err(at(&packages))?;
        apt.run(&packages, &["-q", "--download-only", "source", "kubernetes"])?;
        apt.run(&packages, &["-q", "download", "golang-github-modern-go-reflect2-dev"])?;
        let named = |suffix: &str| {
            let all = fs::read_dir(&packages).map_err(at(&packages))?;
            let mut found = all.flatten().map(|e| e.path()).filter(|p| p.to_string_lossy().ends_with(suffix));
            found.next().ok_or_else(|| at(&packages)(io::ErrorKind::NotFound.into()))
        };
        let description = named(".dsc")?;
        let dsc = fs::read_to_string(&description).map_err(at(&description))?;
        let tree = work.join("source");
        // apt has checked the sums against the signed lists.
        run(Command::new("dpkg-source").args(["--no-check", "-x"]).arg(&description).arg(&tree))?;
        run(Command::new("dpkg-deb").arg("-x").arg(named(".deb")?).arg(work.join("reflect2")))?;
        Ok(Self { tree, work: work.to_owned(), dsc })
    }

    fn make(&self) -> Result<(), BuildError> {
        self.replace_reflect2()?;
        let inner = self.tree.join(".go/src/k8s.io");
        fs::create_dir_all(&inner).map_err(at(&inner))?;
        std::os::unix::fs::symlink("../../..", inner.join("kubernetes")).map_err(at(&inner))?;
        let home = self.work.join("home");
        fs::create_dir_all(&home).map_err(at(&home))?;
        let path = std::env::var("PATH").unwrap_or_default();
        let what: Vec<String> = PROGRAMS.iter().map(|p| format!("cmd/{p}")).collect();
        let mut make = Command::new("make");
        make.current_dir(&self.tree).arg(format!("WHAT={}", what.join(" ")));
        make.env("HOME", home).env("GOPATH", self.tree.join(".go")).env("PATH", format!("{GO}:{path}"));
        make.env("CGO_ENABLED", "0").env("KUBE_BUILD_PLATFORMS", "linux/amd64").env("GOPROXY", "off");
        // Without symbols, as its own releases.
        make.env("GOLDFLAGS", "-s -w -buildid=");
        run(&mut make)
    }

    fn replace_reflect2(&self) -> Result<(), BuildError> {
        let vendored = self.tree.join(REFLECT2);
        for file in sources(&vendored)? {
            fs::remove_file(&file).map_err(at(&file))?;
        }
        let debians = self.work.join("reflect2/usr/share/gocode/src/github.com/modern-go/reflect2");
        for file in sources(&debians)? {
            let name = file.file_name().unwrap_or_default();
            fs::copy(&file, vendored.join(name)).map_err(at(&file))?;
        }
        Ok(())
    }
}

/// The Go and assembler sources of a folder, without tests.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let all = fs::read_dir(folder).map_err(at(folder))?.flatten().map(|entry| entry.path());
    let is_source = |p: &PathBuf| {
        let name = p.to_string_lossy();
        (name.ends_with(".go") && !name.ends_with("_test.go")) || name.ends_with(".s")
    };
    Ok(all.filter(is_source).collect())
}

/// A private apt that knows source packages too.
struct Apt {
    dir: PathBuf,
}

impl Apt {
    fn open(dir: &Path) -> Result<Self, BuildError> {
        for sub in ["lists/partial", "archives/partial"] {
            let path = dir.join(sub);
            fs::create_dir_all(&path).map_err(at(&path))?;
        }
        let mut sources = machine_sources()?;
        sources.retain(|s| SUITES.contains(&s.suite.as_str()));
        let text = render(&sources).replace("Types: deb\n", "Types: deb deb-src\n");
        fs::write(dir.join("sources.sources"), text).map_err(at(dir))?;
        fs::write(dir.join("status"), "").map_err(at(dir))?;
        let apt = Self { dir: dir.to_owned() };
        apt.run(dir, &["-q", "update"])?;
        Ok(apt)
    }

    fn run(&self, within: &Path, args: &[&str]) -> Result<(), BuildError> {
        let dir = self.dir.display();
        let mut command = Command::new("apt-get");
        for option in [
            format!("Dir::Etc::SourceList={dir}/sources.sources"),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            "Dir::Etc::Preferences=/dev/null".to_owned(),
            "Dir::Etc::PreferencesParts=/dev/null".to_owned(),
            format!("Dir::State::lists={dir}/lists"),
            format!("Dir::State::status={dir}/status"),
            format!("Dir::Cache={dir}"),
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        run(command.args(args).current_dir(within).env("LC_ALL", "C"))
    }
}

/// Runs it; its words go to a file, for they are many, and are repeated only when it fails.
fn run(command: &mut Command) -> Result<(), BuildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let path = PathBuf::from(&program);
    let mut log = tempfile::tempfile().map_err(at(&path))?;
    let (out, err) = (log.try_clone().map_err(at(&path))?, log.try_clone().map_err(at(&path))?);
    let status = command.stdin(Stdio::null()).stdout(out).stderr(err).status().map_err(at(&path))?;
    if status.success() {
        return Ok(());
    }
    let mut said = Vec::new();
    io::Seek::rewind(&mut log).map_err(at(&path))?;
    io::Read::read_to_end(&mut log, &mut said).map_err(at(&path))?;
    let said = String::from_utf8_lossy(&said);
    let last: Vec<&str> = said.lines().rev().take(30).collect();
    let said = last.into_iter().rev().collect::<Vec<_>>().join("\n");
    Err(BuildError::Failed { program, status: status.to_string(), said })
}
