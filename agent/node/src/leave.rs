//! A host stops being a node: commands of the distribution, units, pods, mounts, files. Afterwards nothing of the cluster is on
//! it, and it may join again. What cannot be undone is noted, and the rest goes on; only what would keep files in use is retried.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cairn_contract::workload::NodeDesired;
use cairn_runtime::units::Units;
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::failure::Failure;
use crate::order::{self, Order};
use crate::plan::State;
use crate::program;
use crate::words::Words;

const GRACE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);
/// Looks until processes that were killed must be gone.
const LOOKS: u32 = 200;

/// Takes the node off this host.
pub(crate) async fn leave(
    desired: &NodeDesired,
    words: &Words,
    state: &State,
    units: &dyn Units,
    folder: &Path,
) -> Result<(), Failure> {
    for command in order::uninstall(&desired.distribution, words) {
        if let Err(failure) = program::run(&command, &folder.join("bin")).await {
            tracing::warn!(%failure, "leaving goes on");
        }
    }
    for name in to_stop(desired, words, state) {
        units.stop(&name, GRACE).await.map_err(|e| Failure::of("UnitFailed", &e))?;
    }
    end_pods().await?;
    let removals =
        order::removals(&desired.distribution, words).map_err(|e| Failure::of("BadDistribution", &e))?;
    let mut paths: Vec<PathBuf> = removals.into_iter().map(PathBuf::from).collect();
    paths.extend(state.files.iter().map(PathBuf::from));
    paths.extend(state.placed.values().flat_map(|p| p.files.clone()));
    paths.extend(["bin", "state", "incoming"].map(|name| folder.join(name)));
    for path in paths {
        remove(&path).map_err(|e| Failure::new("RemoveFailed", format!("{}: {e}", path.display())))?;
    }
    forget_networks();
    Ok(())
}

/// The last that was started goes first.
fn to_stop(desired: &NodeDesired, words: &Words, state: &State) -> Vec<String> {
    let started = Order::of(desired, words).map(|o| o.units().map(|u| u.name.clone()).collect::<Vec<_>>());
    let mut names: Vec<String> = started.unwrap_or_default();
    names.reverse();
    names.extend(state.units.keys().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
    names
}

/// Ends what containerd's shims of namespace `k8s.io` keep, then the shims. They outlive containerd by design.
async fn end_pods() -> Result<(), Failure> {
    for _ in 0..LOOKS {
        let shims = shims();
        if shims.is_empty() {
            return Ok(());
        }
        for pid in children(&shims).into_iter().chain(shims) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(Failure::new("PodsRemain", "processes of pods do not end; restart the host"))
}

/// Shims of this host: those that see its mounts, not those of hosts in containers.
fn shims() -> BTreeSet<i32> {
    let own = fs::metadata("/proc/thread-self/ns/mnt").map(|m| m.ino()).ok();
    let is_shim = |pid: &i32| {
        let mounts = fs::metadata(format!("/proc/{pid}/ns/mnt")).map(|m| m.ino()).ok();
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<_> = words.split(|b| *b == 0).map(String::from_utf8_lossy).collect();
        let name = words.first().and_then(|w| w.rsplit('/').next()).unwrap_or_default();
        let ours = words
            .windows(2)
            .any(|pair| matches!(pair, [flag, value] if flag == "-namespace" && value == "k8s.io"));
        own.is_some() && mounts == own && name.starts_with("containerd-shim") && ours
    };
    pids().filter(is_shim).collect()
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok())
}

/// First processes of containers: killing one ends all of its pid namespace.
fn children(parents: &BTreeSet<i32>) -> Vec<i32> {
    let parent = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name is in brackets and may hold anything: count from behind it.
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<i32>().ok()
    };
    pids().filter(|pid| parent(*pid).is_some_and(|p| parents.contains(&p))).collect()
}

/// Removes a file or folder with what is mounted below it.
fn remove(path: &Path) -> io::Result<()> {
    let mut mounts = mounts_below(path);
    mounts.sort_by_key(|mount| std::cmp::Reverse(mount.components().count()));
    for mount in mounts {
        umount2(&mount, MntFlags::MNT_DETACH)?;
    }
    let gone = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match gone {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // It is a mount of somebody else's: emptied, it may stay.
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => empty(path),
        other => other,
    }
}

fn empty(path: &Path) -> io::Result<()> {
    let left: Vec<_> = fs::read_dir(path)?.flatten().collect();
    if left.is_empty() { Ok(()) } else { Err(io::ErrorKind::DirectoryNotEmpty.into()) }
}

/// Mounts strictly below `path`, and `path` itself unless it was there for us to use.
fn mounts_below(path: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/thread-self/mountinfo").unwrap_or_default();
    let points = text.lines().filter_map(|line| line.split(' ').nth(4)).map(unescaped);
    points.filter(|point| point.starts_with(path) && point != path).collect()
}

/// proc(5): space, tab, newline and backslash are octal.
fn unescaped(text: &str) -> PathBuf {
    let plain = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    PathBuf::from(plain.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to)))
}

/// Network namespaces of pods that nobody is in any more.
fn forget_networks() {
    let used: BTreeSet<u64> =
        pids().filter_map(|pid| fs::metadata(format!("/proc/{pid}/ns/net")).ok()).map(|m| m.ino()).collect();
    let all = fs::read_dir("/run/netns").into_iter().flatten().flatten().map(|e| e.path());
    let pods = all.filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("cni-")));
    for path in pods.filter(|p| fs::metadata(p).is_ok_and(|m| !used.contains(&m.ino()))) {
        let _ = umount2(&path, MntFlags::MNT_DETACH);
        let _ = fs::remove_file(&path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_all_that_is_in_it_and_absence_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::create_dir_all(path.join("b")).unwrap();
        fs::write(path.join("b/c"), "x").unwrap();
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn mount_points_with_spaces_are_read() {
        assert_eq!(unescaped("/a\\040b"), Path::new("/a b"));
    }
}
