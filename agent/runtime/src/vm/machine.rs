//! One virtual machine from order to unit and back. Each step may be repeated.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use cairn_contract::workload::{Restart, Run, Unit, Vm};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::argv::{self, Accelerator, DiskFile, Parts};
use super::disk::{DiskError, Store};
use super::{qmp, seed, tap};
use crate::image::Registry;
use crate::log::Log;
use crate::units::{Order, RunAs, UnitError, UnitState, Units};

/// For QEMU itself, once the guest had its time.
const QUIT: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(200);
/// For QEMU's first start.
const TRIAL: Duration = Duration::from_secs(20);
const LEAST_MEMORY: u64 = 16 << 20;
const MOST_CPUS: u32 = 64;

/// Why a machine is not as ordered.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// Its order.
    #[error("{0}")]
    Order(String),
    /// Its disks.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A bridge.
    #[error("no network")]
    Network(#[source] io::Error),
    /// A file.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The supervisor.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// No console.
    #[error("the machine does not run")]
    Off(#[source] io::Error),
}

impl MachineError {
    /// One word for status.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Order(_) => "SpecInvalid",
            Self::Disk(DiskError::Image(error)) => error.reason(),
            Self::Disk(DiskError::NoDisk { .. } | DiskError::NoSize(_)) => "DiskInvalid",
            Self::Disk(DiskError::File { source, .. }) | Self::File { source, .. }
                if source.kind() == io::ErrorKind::StorageFull =>
            {
                "DiskFull"
            }
            Self::Disk(_) | Self::File { .. } => "FileFailed",
            Self::Network(_) => "NetworkFailed",
            Self::Unit(_) => "UnitFailed",
            Self::Off(_) => "Off",
        }
    }
}

/// A machine as ordered.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) deployment: Uuid,
    pub(crate) application: String,
    pub(crate) order: Vm,
    /// The order's, with secrets in their places.
    pub(crate) user_data: Option<String>,
}

/// How a machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Power {
    /// QEMU says so: `running`, `paused`, `guest-panicked`, …
    On(String),
    /// Its unit starts, or pauses between two starts.
    Between(String),
    /// It ended and stays off.
    Off { code: Option<i32> },
    /// There is no unit.
    Absent,
}

/// What the machines of this host share.
#[derive(Debug)]
pub(crate) struct Machines {
    pub(crate) units: Arc<dyn Units>,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) qemu: PathBuf,
    pub(crate) qemu_img: PathBuf,
    /// In memory.
    pub(crate) run: PathBuf,
    /// On the disk.
    pub(crate) state: PathBuf,
    pub(crate) user: Option<RunAs>,
    /// For a guest to power off.
    pub(crate) grace: Duration,
    /// Found out once.
    pub(crate) accelerator: OnceCell<Accelerator>,
}

impl Machines {
    /// Everything that the machine needs is there, and its unit is ordered as `order.run` says.
    pub(crate) async fn ensure(&self, job: &Job) -> Result<(), MachineError> {
        check(job)?;
        let id = crate::container::id(job.deployment, &job.application);
        self.note(&id, job)?;
        let disks = self.disks(&id, job).await?;
        let seed = self.seed(&id, job)?;
        for nic in &job.order.nics {
            if let Some(bridge) = &nic.bridge {
                tap::ensure(&argv::tap_name(&id, &nic.name), bridge, self.user)
                    .await
                    .map_err(MachineError::Network)?;
            }
        }
        let (run, serial) = (self.run_folder(&id), self.log(&id));
        let argv = argv::argv(&Parts {
            program: &self.qemu,
            id: &id,
            deployment: job.deployment,
            order: &job.order,
            disks: &disks,
            seed: seed.as_deref(),
            run: &run,
            serial_log: serial.path(),
            accelerator: *self.accelerator.get_or_init(|| accelerator(&self.qemu)).await,
        });
        let restart = if job.order.run == Run::Always { Restart::Always } else { Restart::OnFailure };
        self.units.ensure(&self.unit(&id, argv, restart)).await?;
        Ok(())
    }

    /// The guest is asked to power off; when it does not in time it is ended. Its disks stay.
    pub(crate) async fn halt(&self, id: &str) -> Result<(), MachineError> {
        if matches!(self.power(id).await?, Power::On(_)) {
            let asked = qmp::ask(&self.run_folder(id).join("qmp"), "system_powerdown").await;
            if asked.is_ok() {
                self.await_quiet(id, self.grace).await?;
            }
        }
        self.units.stop(&unit_name(id), QUIT).await?;
        Ok(())
    }

    /// Whoever restarts what ended must not do it now, so the end is seen by QEMU's own silence.
    async fn await_quiet(&self, id: &str, grace: Duration) -> Result<(), MachineError> {
        let first = self.pid(id).await?;
        let quiet = async {
            while first.is_some() && self.pid(id).await? == first {
                tokio::time::sleep(LOOK).await;
            }
            Ok(())
        };
        tokio::time::timeout(grace, quiet).await.unwrap_or(Ok(()))
    }

    async fn pid(&self, id: &str) -> Result<Option<i32>, MachineError> {
        let status = self.units.status(&unit_name(id)).await?;
        Ok(status.and_then(|s| match s.state {
            UnitState::Running { pid } => Some(pid),
            _ => None,
        }))
    }

    /// Ends it and removes all of it.
    pub(crate) async fn remove(&self, id: &str) -> Result<(), MachineError> {
        self.halt(id).await?;
        for name in self.noted(id).unwrap_or_default() {
            tap::remove(&name).await.map_err(MachineError::Network)?;
        }
        for folder in [self.run_folder(id), self.folder(id)] {
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(MachineError::File { what: "remove", path: folder, source: error });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Starts it anew, if it is there.
    pub(crate) async fn restart(&self, id: &str) -> Result<(), MachineError> {
        Ok(self.units.restart(&unit_name(id)).await?)
    }

    pub(crate) async fn power(&self, id: &str) -> Result<Power, MachineError> {
        let Some(status) = self.units.status(&unit_name(id)).await? else { return Ok(Power::Absent) };
        Ok(match status.state {
            UnitState::Running { .. } => {
                match qmp::ask(&self.run_folder(id).join("qmp"), "query-status").await {
                    Ok(answer) => Power::On(answer["status"].as_str().unwrap_or_default().to_owned()),
                    Err(error) => Power::Between(error.to_string()),
                }
            }
            UnitState::Waiting | UnitState::Pausing => Power::Between(self.why(id, status.message)),
            UnitState::Ended { code } => Power::Off { code },
        })
    }

    /// What QEMU itself said last, which tells more than its status.
    fn why(&self, id: &str, message: String) -> String {
        let tail = self.units.log(&unit_name(id)).tail(4).unwrap_or_default();
        let text = String::from_utf8_lossy(&tail);
        let said = text.lines().rev().find(|l| !l.starts_with("cairn: ") && !l.is_empty());
        said.map_or(message.clone(), |said| format!("{message}: {said}"))
    }

    pub(crate) async fn restarts(&self, id: &str) -> Result<u32, MachineError> {
        Ok(self.units.status(&unit_name(id)).await?.map_or(0, |s| s.restarts))
    }

    /// Its serial console.
    pub(crate) async fn console(&self, id: &str) -> Result<UnixStream, MachineError> {
        UnixStream::connect(self.run_folder(id).join("console")).await.map_err(MachineError::Off)
    }

    /// What came over its serial line.
    pub(crate) fn log(&self, id: &str) -> Log {
        Log::at(self.folder(id).join("serial.log"))
    }

    /// Deployment and application of each machine that is there.
    pub(crate) fn known(&self) -> Vec<(Uuid, String)> {
        let entries = fs::read_dir(self.state.join("vms")).into_iter().flatten().flatten();
        let noted = |folder: PathBuf| serde_json::from_slice(&fs::read(folder.join("owner.json")).ok()?).ok();
        entries.filter_map(|e| noted(e.path())).collect()
    }

    async fn disks(&self, id: &str, job: &Job) -> Result<Vec<DiskFile>, MachineError> {
        let (images, registry) = (self.state.join("vm-images"), self.registry.as_ref());
        let store = Store { images: &images, qemu_img: &self.qemu_img, registry };
        let mut files = Vec::new();
        for disk in &job.order.disks {
            let path = self.folder(id).join(format!("{}.qcow2", disk.name));
            store.ensure(disk, &path).await?;
            self.give(&path)?;
            files.push(DiskFile { name: disk.name.clone(), path, ephemeral: disk.ephemeral });
        }
        Ok(files)
    }

    fn seed(&self, id: &str, job: &Job) -> Result<Option<PathBuf>, MachineError> {
        let Some(user_data) = &job.user_data else { return Ok(None) };
        let path = self.run_folder(id).join("seed.img");
        let new = self.run_folder(id).join("seed.new");
        let written = seed::write(&new, id, user_data).and_then(|()| fs::rename(&new, &path));
        written.map_err(|source| MachineError::File { what: "write", path: path.clone(), source })?;
        self.give(&path)?;
        Ok(Some(path))
    }

    /// Folders, and what is needed to remove the machine when its order is forgotten.
    fn note(&self, id: &str, job: &Job) -> Result<(), MachineError> {
        for folder in [self.folder(id), self.run_folder(id)] {
            let made = fs::create_dir_all(&folder);
            made.map_err(|source| MachineError::File { what: "make", path: folder.clone(), source })?;
            let private = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
            private.map_err(|source| MachineError::File {
                what: "restrict",
                path: folder.clone(),
                source,
            })?;
            self.give(&folder)?;
        }
        let bridged = job.order.nics.iter().filter(|n| n.bridge.is_some());
        let mut taps: Vec<String> = bridged.map(|n| argv::tap_name(id, &n.name)).collect();
        taps.extend(self.noted(id).unwrap_or_default());
        taps.sort();
        taps.dedup();
        let owner = serde_json::to_vec(&(job.deployment, &job.application)).unwrap_or_default();
        let taps = serde_json::to_vec(&taps).unwrap_or_default();
        for (name, bytes) in [("owner.json", owner), ("taps.json", taps)] {
            let path = self.folder(id).join(name);
            fs::write(&path, bytes).map_err(|source| MachineError::File { what: "write", path, source })?;
        }
        let log = self.log(id);
        log.open().map_err(|source| MachineError::File {
            what: "open",
            path: log.path().to_owned(),
            source,
        })?;
        self.give(log.path())
    }

    fn noted(&self, id: &str) -> Option<Vec<String>> {
        serde_json::from_slice(&fs::read(self.folder(id).join("taps.json")).ok()?).ok()
    }

    /// To the user whom QEMU runs as.
    fn give(&self, path: &Path) -> Result<(), MachineError> {
        let Some(user) = self.user else { return Ok(()) };
        let given = chown(path, Some(user.uid), Some(user.gid));
        given.map_err(|source| MachineError::File { what: "give away", path: path.to_owned(), source })
    }

    fn unit(&self, id: &str, run: Vec<String>, restart: Restart) -> Order {
        let unit =
            Unit { name: unit_name(id), run, env: Default::default(), after: vec![], leave_children: false };
        Order { unit, restart, user: self.user, grace: QUIT }
    }

    fn folder(&self, id: &str) -> PathBuf {
        self.state.join("vms").join(id)
    }

    fn run_folder(&self, id: &str) -> PathBuf {
        self.run.join("vms").join(id)
    }
}

fn unit_name(id: &str) -> String {
    format!("vm-{id}")
}

/// KVM where a machine without a disk starts with it, else instruction by instruction: a host may have the device and yet no
/// virtualisation that works, and QEMU then dies at its start.
async fn accelerator(qemu: &Path) -> Accelerator {
    let trial = async {
        let mut command = Command::new(qemu);
        command.args([
            "-accel",
            "kvm",
            "-cpu",
            "host",
            "-machine",
            "q35",
            "-S",
            "-nodefaults",
            "-no-user-config",
        ]);
        command.args(["-display", "none", "-vga", "none", "-monitor", "stdio"]).kill_on_drop(true);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        if let Some(mut monitor) = child.stdin.take() {
            monitor.write_all(b"quit\n").await?;
        }
        child.wait().await
    };
    let works = Path::new("/dev/kvm").exists()
        && tokio::time::timeout(TRIAL, trial)
            .await
            .is_ok_and(|ended| ended.is_ok_and(|status| status.success()));
    tracing::info!(kvm = works, "how virtual machines are run");
    if works { Accelerator::Kvm } else { Accelerator::Tcg }
}

fn check(job: &Job) -> Result<(), MachineError> {
    let bad = |text: String| Err(MachineError::Order(text));
    let order = &job.order;
    if order.cpus == 0 || order.cpus > MOST_CPUS {
        return bad(format!("a machine has 1 to {MOST_CPUS} processors, not {}", order.cpus));
    }
    if order.memory_bytes < LEAST_MEMORY {
        return bad("a machine has at least 16 MiB of memory".to_owned());
    }
    if job.user_data.as_ref().is_some_and(|d| d.len() > seed::MAX_USER_DATA) {
        return bad("user data is larger than 1 MiB".to_owned());
    }
    let label = |n: &str| {
        !n.is_empty()
            && n.len() <= 63
            && n.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    if let Some(disk) = order.disks.iter().find(|d| !label(&d.name)) {
        return bad(format!("`{}` is no name of a disk: letters a-z, digits and `-`", disk.name));
    }
    for nic in &order.nics {
        let mac = nic.mac.as_ref().is_none_or(|m| is_mac(m));
        let device = |b: &String| {
            b.len() <= 15
                && b.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
                && !b.contains("..")
        };
        if !mac || !nic.bridge.as_ref().is_none_or(device) {
            return bad(format!("interface `{}` has no usable MAC address or bridge", nic.name));
        }
        if nic.bridge.is_some() && !nic.ports.is_empty() {
            return bad(format!(
                "interface `{}` is in a bridge, where no ports are mapped; remove `ports`",
                nic.name
            ));
        }
    }
    Ok(())
}

fn is_mac(text: &str) -> bool {
    let pair = |p: &str| p.len() == 2 && p.chars().all(|c| c.is_ascii_hexdigit());
    text.split(':').count() == 6 && text.split(':').all(pair)
}
