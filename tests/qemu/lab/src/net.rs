//! A network of its own for one lab: a namespace with a bridge that carries the server's address, and a tap for each guest.
//!
//! Every lab uses the same addresses: namespaces keep them apart, and their names carry this process's id. Nothing leaves
//! the machine: the bridge has no port outside.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sched::{CloneFlags, setns};

use crate::child::Leash;
use crate::tool::{self, ToolError};
use crate::workspace::{self, WorkspaceError};

/// Sockets live here: a socket's path may have 107 bytes only.
const RUN: &str = "/run/cairn-lab";
/// Where `ip netns` keeps its handles.
const NAMESPACES: &str = "/run/netns";
/// Names of namespaces that end with the process that made them.
const PREFIX: &str = "cairn-";

/// Why a network could not be made, entered or changed.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// `ip` refused.
    #[error("network {name}")]
    Tool {
        /// The namespace.
        name: String,
        /// What it said.
        #[source]
        source: ToolError,
    },
    /// The folder for sockets cannot be used.
    #[error("network {name}")]
    Folder {
        /// The namespace.
        name: String,
        /// Which, and why.
        #[source]
        source: WorkspaceError,
    },
    /// The namespace cannot be entered.
    #[error("cannot enter network {name}")]
    Enter {
        /// The namespace.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A namespace with a bridge. Removed on drop, unless `keep` was called.
#[derive(Debug)]
pub struct Net {
    name: String,
    run: PathBuf,
    taps: AtomicUsize,
    kept: bool,
}

impl Net {
    /// The server's address, on the bridge.
    pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
    /// Its network.
    pub const SUBNET: &str = "10.77.0.0/24";
    /// Bits of the subnet.
    pub const PREFIX_LENGTH: u8 = 24;
    /// The bridge's device name.
    pub const BRIDGE: &str = "br0";
    /// The bridge's MAC. Set, because a bridge otherwise takes that of its lowest port.
    pub const BRIDGE_MAC: &str = "52:54:00:77:00:01";

    /// Makes a network for this process; `label` shows in its name. Also removes those that killed labs left behind.
    pub fn create(label: &str) -> Result<Self, NetError> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        sweep();
        let count = MADE.fetch_add(1, Ordering::Relaxed);
        Self::make(&format!("{PREFIX}{}-{count}-{label}", std::process::id()))
    }

    /// Makes a network under exactly this name, for labs that outlive their process.
    pub fn make(name: &str) -> Result<Self, NetError> {
        let mut net = Self::attach(name)?;
        let _one_at_a_time =
            workspace::locked(&Path::new(RUN).join("lock")).map_err(|source| net.folder_error(source))?;
        let address = format!("{}/{}", Self::SERVER, Self::PREFIX_LENGTH);
        net.ip(&["netns", "add", name])?;
        // From here on it is ours to remove, also when a later step fails.
        net.kept = false;
        net.ip_inside(&["link", "set", "lo", "up"])?;
        let bridge = ["type", "bridge", "stp_state", "0", "forward_delay", "0"];
        net.ip_inside(&[&["link", "add", Self::BRIDGE, "address", Self::BRIDGE_MAC][..], &bridge].concat())?;
        net.ip_inside(&["addr", "add", &address, "dev", Self::BRIDGE])?;
        net.ip_inside(&["link", "set", Self::BRIDGE, "up"])?;
        Ok(net)
    }

    /// A handle to a network that stands already; dropping it leaves the network alone.
    pub fn attach(name: &str) -> Result<Self, NetError> {
        let run = Path::new(RUN).join(name);
        let net = Self { name: name.to_owned(), run: run.clone(), taps: AtomicUsize::new(0), kept: true };
        fs::create_dir_all(&run).map_err(|source| NetError::Enter { name: name.to_owned(), source })?;
        Ok(net)
    }

    /// The namespace's name, for `ip netns exec`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A short folder for sockets, removed with the network.
    #[must_use]
    pub fn run_folder(&self) -> &Path {
        &self.run
    }

    /// Lets the network outlive this handle.
    pub fn keep(mut self) {
        self.kept = true;
    }

    /// Removes the network, also one that was kept or attached to.
    pub fn remove(mut self) {
        self.kept = false;
    }

    /// A command that runs `program` inside. Its process id is the program's own; it ends with the thread that starts it.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.command_on(Leash::Short, program)
    }

    /// A command that runs `program` inside, on a leash of your choice.
    #[must_use]
    pub fn command_on(&self, leash: Leash, program: impl AsRef<OsStr>) -> Command {
        let inner = leash.command(program);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(inner.get_program()).args(inner.get_args());
        command
    }

    /// Does `work` in a thread of its own inside the network. Sockets opened there stay there.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NetError> {
        let handle = Path::new(NAMESPACES).join(&self.name);
        let enter = || -> io::Result<()> {
            setns(fs::File::open(handle)?, CloneFlags::CLONE_NEWNET)?;
            Ok(())
        };
        let done = std::thread::scope(|scope| scope.spawn(|| enter().map(|()| work())).join());
        match done {
            Ok(result) => result.map_err(|source| NetError::Enter { name: self.name.clone(), source }),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Adds a port for one guest.
    pub fn tap(&self) -> Result<Tap, NetError> {
        loop {
            let device = format!("t{}", self.taps.fetch_add(1, Ordering::Relaxed));
            // An attached network may have some already.
            if self.ip_inside(&["link", "show", "dev", &device]).is_ok() {
                continue;
            }
            self.ip_inside(&["tuntap", "add", "dev", &device, "mode", "tap"])?;
            self.ip_inside(&["link", "set", &device, "master", Self::BRIDGE, "up"])?;
            return Ok(Tap { net: self.name.clone(), device });
        }
    }

    /// Runs `ip` inside the namespace.
    pub(crate) fn ip_inside(&self, words: &[&str]) -> Result<(), NetError> {
        self.ip(&[&["-n", &self.name], words].concat())
    }

    fn ip(&self, words: &[&str]) -> Result<(), NetError> {
        let done = tool::run(Command::new("ip").args(words));
        done.map(drop).map_err(|source| NetError::Tool { name: self.name.clone(), source })
    }

    fn folder_error(&self, source: WorkspaceError) -> NetError {
        NetError::Folder { name: self.name.clone(), source }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if !self.kept {
            remove(&self.name);
        }
    }
}

/// A guest's port on the bridge. Removed on drop.
#[derive(Debug)]
pub struct Tap {
    net: String,
    device: String,
}

impl Tap {
    /// The device's name inside the namespace.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Lets the port outlive this handle, and returns its name.
    #[must_use]
    pub fn keep(mut self) -> String {
        std::mem::take(&mut self.device)
    }

    /// Carries frames again (`up`), or drops them all (`down`); the guest does not see its link change.
    pub(crate) fn set(&self, state: &str) -> Result<(), ToolError> {
        tool::run(Command::new("ip").args(["-n", &self.net, "link", "set", &self.device, state])).map(drop)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if !self.device.is_empty() {
            // It may have gone with its namespace.
            let _ = tool::run(Command::new("ip").args(["-n", &self.net, "link", "del", &self.device]));
        }
    }
}

fn remove(name: &str) {
    // Nothing to be done about a failure here: the next lab sweeps.
    let _ = tool::run(Command::new("ip").args(["netns", "del", name]));
    let _ = fs::remove_dir_all(Path::new(RUN).join(name));
}

/// Removes the networks of labs that were killed before they could.
fn sweep() {
    for folder in [NAMESPACES, RUN] {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| maker(name).is_some_and(is_gone)).for_each(|name| remove(&name));
    }
}

/// The process that made the namespace of this name, if it is one of ours that ends with its process.
fn maker(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

fn is_gone(pid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_namespaces_of_dead_labs_are_swept() {
        assert_eq!(maker("cairn-4711-0-uefi_http"), Some(4711));
        assert_eq!(maker("cairn-lab"), None);
        assert_eq!(maker("other-1-0"), None);
        assert!(!is_gone(std::process::id()));
    }
}
