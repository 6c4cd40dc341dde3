//! Runs a program of the appliance on foreign files: in an empty folder, without network where the system lets it, with an end.
//! The only place of this crate that starts programs.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use cairn_domain::fact::plain;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
};

use super::{Fault, MAX_OUTPUT, archive::Files, too_large};

/// How long one may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Bytes of complaints that are read.
const MAX_COMPLAINT: u64 = 64 << 10;
/// Where programs look for others, and are looked for last.
const USUAL: &str = "/usr/local/bin:/usr/bin:/bin";

/// Where programs are. They are looked for at each use: one that is installed later is found.
#[derive(Debug, Clone, Default)]
pub struct Tools {
    /// `helm` of `[tools]` in cairn.toml.
    pub helm: Option<PathBuf>,
    /// `kustomize` of `[tools]`: `kustomize`, or `kubectl`.
    pub kustomize: Option<PathBuf>,
    /// `PATH`.
    pub search: Option<OsString>,
}

impl Tools {
    pub(super) fn helm(&self) -> Option<PathBuf> {
        self.given(self.helm.as_deref()).or_else(|| self.find("helm"))
    }

    /// `kustomize` or `kubectl`.
    pub(super) fn kustomize(&self) -> Option<PathBuf> {
        let given = self.given(self.kustomize.as_deref());
        given.or_else(|| self.find("kustomize")).or_else(|| self.find("kubectl"))
    }

    fn given(&self, path: Option<&Path>) -> Option<PathBuf> {
        path.filter(|path| is_program(path)).map(Path::to_owned)
    }

    fn find(&self, name: &str) -> Option<PathBuf> {
        let search = self.search.as_deref().unwrap_or(OsStr::new(USUAL));
        std::env::split_paths(search)
            .map(|folder| folder.join(name))
            .find(|path| path.is_absolute() && is_program(path))
    }
}

fn is_program(path: &Path) -> bool {
    nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok() && path.is_file()
}

/// One run.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    /// Written first, below the folder of the run.
    pub(super) files: &'a Files,
    /// Where it runs; of `files`.
    pub(super) folder: String,
    /// Reason of its failures.
    pub(super) failed: &'static str,
}

impl Run<'_> {
    /// What it prints.
    pub(super) async fn output(&self) -> Result<Vec<u8>, Fault> {
        let place = self.place().await?;
        let isolated = self.once(&place, Network::None).await?;
        let Ended { status, printed, complaint } = match isolated {
            // The system does not let us take the network away (a container without the right to): then with it.
            Ended { complaint, .. } if complaint.starts_with("unshare:") => {
                self.once(&place, Network::Ours).await?
            }
            ended => ended,
        };
        if printed.len() > MAX_OUTPUT {
            return Err(too_large());
        }
        if !status.success() {
            let name = self.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(Fault::new(self.failed, format!("{name} says: {}", plain(complaint.trim(), 900))));
        }
        Ok(printed)
    }

    /// An empty folder with the files; it goes when it is dropped.
    async fn place(&self) -> Result<tempfile::TempDir, Fault> {
        let failed = |e: std::io::Error| Fault::new(self.failed, format!("cannot write its files: {e}"));
        let place = tempfile::tempdir().map_err(failed)?;
        for folder in ["files", "home"] {
            tokio::fs::create_dir(place.path().join(folder)).await.map_err(failed)?;
        }
        let root = place.path().join("files");
        for (name, bytes) in self.files {
            let path = root.join(name);
            if let Some(folder) = path.parent() {
                tokio::fs::create_dir_all(folder).await.map_err(failed)?;
            }
            tokio::fs::write(&path, bytes).await.map_err(failed)?;
        }
        Ok(place)
    }

    async fn once(&self, place: &tempfile::TempDir, network: Network) -> Result<Ended, Fault> {
        let home = place.path().join("home");
        let mut command = network.command(&self.program);
        command.args(&self.args).current_dir(place.path().join("files").join(&self.folder));
        command.env_clear().env("PATH", USUAL).env("HOME", &home).env("TMPDIR", &home);
        command.env("XDG_CACHE_HOME", &home).env("XDG_CONFIG_HOME", &home).env("XDG_DATA_HOME", &home);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: what it starts is ended with it.
        command.process_group(0).kill_on_drop(true);
        let failed = |e: std::io::Error| {
            Fault::new(self.failed, format!("cannot run {}: {e}", self.program.display()))
        };
        let mut group = Group::of(command.spawn().map_err(failed)?);
        let ended = tokio::time::timeout(LIMIT, group.ended()).await;
        drop(group);
        let late = |_| {
            Fault::new(
                "RenderTimedOut",
                format!("{} took longer than {} s", self.program.display(), LIMIT.as_secs()),
            )
        };
        ended.map_err(late)?.map_err(failed)
    }
}

/// Whether it reaches others.
#[derive(Debug, Clone, Copy)]
enum Network {
    None,
    Ours,
}

impl Network {
    fn command(self, program: &Path) -> Command {
        match self {
            Self::Ours => Command::new(program),
            Self::None => {
                let mut command = Command::new("/usr/bin/unshare");
                if !nix::unistd::geteuid().is_root() {
                    command.arg("--map-root-user");
                }
                command.args(["--net", "--"]).arg(program);
                command
            }
        }
    }
}

#[derive(Debug)]
struct Ended {
    status: ExitStatus,
    printed: Vec<u8>,
    complaint: String,
}

/// A program and all that it started; ended when it is dropped.
struct Group {
    child: Child,
    id: Option<Pid>,
}

impl Group {
    fn of(child: Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        Self { child, id }
    }

    async fn ended(&mut self) -> std::io::Result<Ended> {
        let (out, err) = (self.child.stdout.take(), self.child.stderr.take());
        let most = u64::try_from(MAX_OUTPUT).unwrap_or(u64::MAX).saturating_add(1);
        let (printed, complaint) = tokio::try_join!(upto(out, most), upto(err, MAX_COMPLAINT))?;
        if printed.len() > MAX_OUTPUT {
            self.kill();
        }
        let status = self.child.wait().await?;
        // From now on its number may be another's.
        self.id = None;
        Ok(Ended { status, printed, complaint: String::from_utf8_lossy(&complaint).into_owned() })
    }

    fn kill(&self) {
        if let Some(id) = self.id {
            // It may have ended by itself.
            let _ = killpg(id, Signal::SIGKILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn upto(from: Option<impl AsyncRead + Unpin>, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let Some(mut from) = from else { return Ok(bytes) };
    (&mut from).take(most).read_to_end(&mut bytes).await?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) < most {
        return Ok(bytes);
    }
    // The rest is not wanted; who writes into a closed pipe ends.
    drop(from);
    Ok(bytes)
}
