//! Network namespaces that outlive the agent: each bound to a file.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

/// Makes one at `path`. Blocks: a thread of its own goes into it.
pub(super) fn make(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create(path)?;
    let at = path.to_owned();
    let made = std::thread::spawn(move || -> io::Result<()> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        let none: Option<&str> = None;
        mount(Some("/proc/thread-self/ns/net"), &at, none, MsFlags::MS_BIND, none)?;
        Ok(())
    });
    made.join().unwrap_or_else(|_| Err(io::Error::other("the thread that makes a network namespace broke")))
}

/// Whether one is bound there, and not only the file left.
pub(super) fn exists(path: &Path) -> bool {
    nix::sys::statfs::statfs(path).is_ok_and(|s| s.filesystem_type() == nix::sys::statfs::NSFS_MAGIC)
}

/// None there is no error.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    if exists(path) {
        umount2(path, MntFlags::MNT_DETACH)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
