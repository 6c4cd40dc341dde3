//! A host in this host: a network and mounts of its own, where a node may write to /etc, /var, /opt and /run without a trace.
//! Needs root. Hosts of one [`Wire`] reach each other and nobody else.
//!
//! ```text
//! Wire: bridge in a network namespace, 10.77.0.254/24
//!   |- veth - Machine 10.77.0.1    overlays on /etc /var /opt /run, tmpfs on folders that containers are kept in
//!   `- veth - Machine 10.77.0.2
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, gettid};
use tempfile::TempDir;

const CGROUPS: &str = "/sys/fs/cgroup";
/// What a node changes, as overlays.
const OVERLAID: [&str; 4] = ["/etc", "/var", "/opt", "/run"];
/// Where overlays of containers are made: that cannot be an overlay itself.
const PLAIN: [&str; 3] = ["/var/lib/cairn-node", "/var/lib/containerd", "/var/lib/kubelet"];

/// A machine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// The kernel refused; it needs root.
    #[error("cannot {what} (these tests run as root)")]
    Kernel {
        /// What was tried.
        what: String,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// `ip` failed.
    #[error("ip {args} failed: {said}")]
    Ip {
        /// Its arguments.
        args: String,
        /// What it said.
        said: String,
    },
}

fn kernel<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> MachineError {
    let what = what.into();
    move |error| MachineError::Kernel { what, source: error.into() }
}

/// What machines are plugged into.
#[derive(Debug)]
pub struct Wire {
    spaces: Spaces,
}

/// One machine. Dropping it ends everything that runs on it.
#[derive(Debug)]
pub struct Machine {
    spaces: Spaces,
    address: String,
    cgroup: String,
    _upper: TempDir,
}

/// A way into a machine, for one thread.
#[derive(Debug)]
pub struct Inside(Spaces);

impl Inside {
    /// Brings the calling thread onto the machine for the rest of its life.
    ///
    /// # Errors
    /// Without root.
    pub fn enter(&self) -> Result<(), MachineError> {
        self.0.enter_here()
    }
}

/// Namespaces that live as long as these files.
#[derive(Debug)]
struct Spaces {
    network: File,
    mounts: File,
}

impl Wire {
    /// A bridge in a network of its own.
    ///
    /// # Errors
    /// Without root.
    pub fn new() -> Result<Self, MachineError> {
        let spaces = Spaces::new(|| {
            ip("link set lo up")?;
            ip("link add br0 type bridge")?;
            ip("addr add 10.77.0.254/24 dev br0")?;
            ip("link set br0 up")
        })?;
        Ok(Self { spaces })
    }
}

impl Machine {
    /// A machine on `wire` with the address `10.77.0.<number>`.
    ///
    /// # Errors
    /// Without root.
    pub fn start(wire: &Wire, number: u8) -> Result<Self, MachineError> {
        let upper =
            tempfile::Builder::new().prefix("cairn-host-").tempdir().map_err(kernel("make a folder"))?;
        let address = format!("10.77.0.{number}");
        let cgroup = upper.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        make_cgroups(&cgroup)?;
        let (folder, own, plug) = (upper.path().to_owned(), address.clone(), &wire.spaces);
        let spaces = Spaces::new(move || {
            overlays(&folder)?;
            let me = gettid();
            plug.enter(|| {
                ip(&format!("link add port{number} type veth peer name eth0 netns {me}"))?;
                ip(&format!("link set port{number} master br0 up"))
            })?;
            ip("link set lo up")?;
            ip(&format!("addr add {own}/24 dev eth0"))?;
            ip("link set eth0 up")?;
            ip("route add default via 10.77.0.254")
        })?;
        Ok(Self { spaces, address, cgroup: format!("/{cgroup}"), _upper: upper })
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A cgroup of its own, in every controller, for `cgroupRoot`.
    #[must_use]
    pub fn cgroup(&self) -> &str {
        &self.cgroup
    }

    /// Runs `work` on this machine, on a thread of its own; what that starts is on this machine too.
    ///
    /// # Panics
    /// When `work` does.
    ///
    /// # Errors
    /// When the kernel does not let it in.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, MachineError> {
        self.spaces.enter(|| Ok(work()))
    }

    /// A way in for a thread that stays there.
    ///
    /// # Panics
    /// When no more files can be opened.
    #[must_use]
    pub fn inside(&self) -> Inside {
        let copy = |file: &File| file.try_clone().expect("files can be opened");
        Inside(Spaces { network: copy(&self.spaces.network), mounts: copy(&self.spaces.mounts) })
    }

    /// What runs on it, for people: the first words of its processes.
    #[must_use]
    pub fn running(&self) -> Vec<String> {
        let words = |pid: i32| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let all = self.processes().into_iter().map(|pid| words(pid).replace('\0', " "));
        all.filter(|words| !words.is_empty()).collect()
    }

    /// Ends everything that runs on it at once, as a loss of power does. Its disk stays.
    pub fn kill_all(&self) {
        let since = Instant::now();
        loop {
            let running = self.processes();
            if running.is_empty() || since.elapsed() > Duration::from_secs(20) {
                return;
            }
            for pid in running {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Those that see its mounts, and those in its cgroup: pods see mounts of their own.
    fn processes(&self) -> BTreeSet<i32> {
        let own = self.spaces.mounts.metadata().map(|m| m.ino()).ok();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
        let mounts = |pid: &i32| fs::metadata(format!("/proc/{pid}/ns/mnt")).map(|m| m.ino()).ok();
        // What has ended and waits for its parent has no mounts any more.
        let here = pids.filter(|pid| own.is_some() && mounts(pid) == own);
        here.chain(cgroup_processes(&self.cgroup)).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill_all();
        for controller in controllers() {
            remove_cgroup(&controller.join(self.cgroup.trim_start_matches('/')));
        }
    }
}

impl Spaces {
    /// New namespaces in which `prepare` has run.
    fn new(prepare: impl FnOnce() -> Result<(), MachineError> + Send) -> Result<Self, MachineError> {
        let made = || {
            unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).map_err(kernel("make namespaces"))?;
            let none = None::<&str>;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none)
                .map_err(kernel("part mounts"))?;
            prepare()?;
            let open = |kind: &str| {
                File::open(format!("/proc/thread-self/ns/{kind}")).map_err(kernel("open namespaces"))
            };
            Ok(Self { network: open("net")?, mounts: open("mnt")? })
        };
        on_a_thread(made)
    }

    fn enter<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, MachineError> + Send,
    ) -> Result<T, MachineError> {
        on_a_thread(|| {
            self.enter_here()?;
            work()
        })
    }

    fn enter_here(&self) -> Result<(), MachineError> {
        // Threads share root and working folder, which a thread with other mounts must not.
        unshare(CloneFlags::CLONE_FS).map_err(kernel("part from the other threads"))?;
        setns(&self.network, CloneFlags::CLONE_NEWNET).map_err(kernel("enter a network"))?;
        setns(&self.mounts, CloneFlags::CLONE_NEWNS).map_err(kernel("enter mounts"))
    }
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> Result<T, MachineError> + Send) -> Result<T, MachineError> {
    std::thread::scope(|scope| {
        let (tell, told) = channel();
        let thread = scope.spawn(move || drop(tell.send(work())));
        let done = told.recv();
        match (thread.join(), done) {
            (Ok(()), Ok(done)) => done,
            (Err(panic), _) => std::panic::resume_unwind(panic),
            (Ok(()), Err(_)) => Err(kernel("run a thread")(io::Error::from(io::ErrorKind::BrokenPipe))),
        }
    })
}

fn ip(args: &str) -> Result<(), MachineError> {
    let out = Command::new("ip").args(args.split(' ')).output().map_err(kernel("run ip"))?;
    if out.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&out.stderr).trim().to_owned();
    Err(MachineError::Ip { args: args.to_owned(), said })
}

fn overlays(upper: &Path) -> Result<(), MachineError> {
    let none = None::<&str>;
    mount(Some("tmpfs"), upper, Some("tmpfs"), MsFlags::empty(), none).map_err(kernel("mount a tmpfs"))?;
    for place in OVERLAID {
        let name = place.trim_start_matches('/');
        let (changes, work) = (upper.join(name).join("changes"), upper.join(name).join("work"));
        for folder in [&changes, &work] {
            fs::create_dir_all(folder).map_err(kernel("make a folder"))?;
        }
        let options = format!("lowerdir={place},upperdir={},workdir={}", changes.display(), work.display());
        let mounted =
            mount(Some("overlay"), place, Some("overlay"), MsFlags::empty(), Some(options.as_str()));
        mounted.map_err(kernel(format!("mount an overlay on {place}")))?;
    }
    for place in PLAIN {
        fs::create_dir_all(place).map_err(kernel("make a folder"))?;
        mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), none)
            .map_err(kernel("mount a tmpfs"))?;
    }
    // A kubelet wants mounts that it can share with its pods.
    let shared = MsFlags::MS_REC | MsFlags::MS_SHARED;
    mount(none, "/", none, shared, none).map_err(kernel("share mounts"))
}

fn controllers() -> Vec<PathBuf> {
    let all = fs::read_dir(CGROUPS).into_iter().flatten().flatten().map(|e| e.path());
    let v1: Vec<PathBuf> = all.filter(|p| p.join("cgroup.procs").is_file() && p.is_dir()).collect();
    let unified = Path::new(CGROUPS).join("cgroup.controllers").is_file();
    if unified { vec![PathBuf::from(CGROUPS)] } else { v1 }
}

fn make_cgroups(name: &str) -> Result<(), MachineError> {
    for controller in controllers() {
        let folder = controller.join(name);
        fs::create_dir_all(&folder).map_err(kernel("make a cgroup"))?;
        // An empty cpuset takes no process.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(all) = fs::read(controller.join(file)) {
                let _ = fs::write(folder.join(file), all);
            }
        }
    }
    Ok(())
}

fn cgroup_processes(name: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for controller in controllers() {
        let mut folders = vec![controller.join(name.trim_start_matches('/'))];
        while let Some(folder) = folders.pop() {
            let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
            let below = fs::read_dir(&folder).into_iter().flatten().flatten().map(|e| e.path());
            folders.extend(below.filter(|p| p.is_dir()));
        }
    }
    found
}

fn remove_cgroup(folder: &Path) {
    let below = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    below.filter(|p| p.is_dir()).for_each(|p| remove_cgroup(&p));
    let _ = fs::remove_dir(folder);
}
