//! PID 1's chores: mounts, console, command line, orphans, the end, and the step into a real root.
//!
//! Called by the installer and by the agent where it is the first process.

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot as kernel_reboot};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, chdir, chroot, dup2_stderr, dup2_stdin, dup2_stdout, execv};

/// What a first process mounts: target, type, options.
const BASICS: [(&str, &str, &str); 6] = [
    ("/proc", "proc", ""),
    ("/sys", "sysfs", ""),
    ("/dev", "devtmpfs", "mode=0755"),
    ("/run", "tmpfs", "mode=0755"),
    ("/tmp", "tmpfs", "mode=1777"),
    ("/sys/kernel/security", "securityfs", ""),
];
const EFIVARS: (&str, &str, &str) = ("/sys/firmware/efi/efivars", "efivarfs", "");

/// Which mount failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot mount {what} on {target}")]
pub struct MountError {
    target: PathBuf,
    what: String,
    #[source]
    source: io::Error,
}

/// Mounts proc, sys, dev, run, tmp, securityfs, and efivarfs on a UEFI machine. What is mounted already is left alone.
///
/// # Errors
/// The first that fails; securityfs and efivarfs may be missing, since kernels without them exist.
pub fn mount_basics() -> Result<(), MountError> {
    for (target, kind, options) in BASICS {
        match attempt(Path::new(target), kind, options) {
            Ok(()) => {}
            Err(_) if kind == "securityfs" => {}
            Err(source) => return Err(MountError { target: target.into(), what: kind.into(), source }),
        }
    }
    let (target, kind, options) = EFIVARS;
    if Path::new(target).exists()
        && let Err(error) = attempt(Path::new(target), kind, options)
    {
        tracing::debug!(%error, "no EFI variables");
    }
    Ok(())
}

fn attempt(target: &Path, kind: &str, options: &str) -> io::Result<()> {
    // A second tmpfs would hide what the first stage left in /run.
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if is_mounted(&mounts, target) {
        return Ok(());
    }
    // A target inside sysfs exists or cannot be made.
    let _ = fs::create_dir_all(target);
    let options = Some(options).filter(|o| !o.is_empty());
    match mount(Some(kind), target, Some(kind), MsFlags::MS_NOSUID, options) {
        Ok(()) | Err(Errno::EBUSY) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// proc_pid_mountinfo(5): the fifth field is the mount point.
fn is_mounted(mountinfo: &str, target: &Path) -> bool {
    mountinfo.lines().filter_map(|l| l.split(' ').nth(4)).any(|at| Path::new(at) == target)
}

/// Mounts `device` read-only on `target`, which is made if it is missing.
///
/// # Errors
/// As `mount(2)`.
pub fn mount_read_only(device: &Path, target: &Path, kind: &str) -> Result<(), MountError> {
    let fail = |source| MountError { target: target.into(), what: device.display().to_string(), source };
    fs::create_dir_all(target).map_err(fail)?;
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NODEV;
    mount(Some(device), target, Some(kind), flags, None::<&str>).map_err(|e| fail(e.into()))
}

/// Unmounts what [`mount_read_only`] mounted.
///
/// # Errors
/// As `umount(2)`.
pub fn unmount(target: &Path) -> io::Result<()> {
    nix::mount::umount(target).map_err(io::Error::from)
}

/// Makes `/dev/console` standard input, output and error.
///
/// # Errors
/// When there is no console, which leaves things as they were.
pub fn open_console() -> io::Result<()> {
    let console = OpenOptions::new().read(true).write(true).open("/dev/console")?;
    dup2_stdin(&console)?;
    dup2_stdout(&console)?;
    dup2_stderr(&console)?;
    Ok(())
}

/// The kernel's command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandLine(Vec<String>);

impl CommandLine {
    /// The running kernel's.
    ///
    /// # Errors
    /// When /proc is not mounted.
    pub fn read() -> io::Result<Self> {
        fs::read_to_string("/proc/cmdline").map(|text| Self::parse(&text))
    }

    /// Splits at spaces; quotes keep them, as in the kernel's `next_arg`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
        for c in text.trim_end_matches(['\n', '\0']).chars() {
            match c {
                '"' => quoted = !quoted,
                c if c.is_ascii_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
                c => word.push(c),
            }
        }
        words.push(word);
        words.retain(|w| !w.is_empty());
        Self(words)
    }

    /// The last value of `name=`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find_map(|w| w.strip_prefix(name)?.strip_prefix('='))
    }

    /// Whether the bare word is there.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|w| w == word)
    }
}

/// Collects children that ended, so that none stays a zombie. Never blocks.
pub fn reap() {
    loop {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(_) => break,
            Ok(_) => {}
        }
    }
}

/// Flushes all file systems and starts the machine again through its firmware. Returns only on failure (not PID 1's machine
/// to end).
pub fn reboot() -> io::Error {
    nix::unistd::sync();
    match kernel_reboot(RebootMode::RB_AUTOBOOT) {
        Ok(never) => match never {},
        Err(e) => e.into(),
    }
}

/// Flushes all file systems and turns the machine off. Returns only on failure.
pub fn power_off() -> io::Error {
    nix::unistd::sync();
    match kernel_reboot(RebootMode::RB_POWER_OFF) {
        Ok(never) => match never {},
        Err(e) => e.into(),
    }
}

/// Leaves the initramfs: moves the basic mounts, makes `root` the root, and becomes `init`.
///
/// The initramfs's own files are deleted first, so that their memory comes back. `root` must be a mount.
///
/// # Errors
/// Which step failed; the machine is then between two roots and should be ended.
pub fn switch_root(
    root: &Path,
    init: &str,
    arguments: &[&str],
) -> Result<std::convert::Infallible, MountError> {
    let fail =
        |what: &str, source: io::Error| MountError { target: root.into(), what: what.to_owned(), source };
    for target in ["/dev", "/proc", "/sys", "/run"] {
        let inside = root.join(target.trim_start_matches('/'));
        mount(Some(target), &inside, None::<&str>, MsFlags::MS_MOVE, None::<&str>)
            .map_err(|e| fail(target, e.into()))?;
    }
    empty_initramfs(root);
    chdir(root).map_err(|e| fail("new root", e.into()))?;
    mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>).map_err(|e| fail("/", e.into()))?;
    chroot(".").map_err(|e| fail("chroot", e.into()))?;
    chdir("/").map_err(|e| fail("/", e.into()))?;
    let text = |s: &str| CString::new(s).map_err(|e| fail(s, e.into()));
    let path = text(init)?;
    let argv: Vec<CString> = [init].iter().chain(arguments).map(|s| text(s)).collect::<Result<_, _>>()?;
    execv(&path, &argv).map_err(|e| fail(init, e.into()))
}

/// Deletes the files of the first root; never crosses into another file system.
fn empty_initramfs(keep: &Path) {
    use std::os::unix::fs::MetadataExt;
    let Ok(device) = fs::symlink_metadata("/").map(|m| m.dev()) else { return };
    let mut folders = vec![PathBuf::from("/")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(meta) = fs::symlink_metadata(&path) else { continue };
            if meta.dev() != device || keep.starts_with(&path) {
                continue;
            }
            match meta.is_dir() {
                true => folders.push(path),
                false => drop(fs::remove_file(&path)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_split_as_the_kernel_does() {
        let line = CommandLine::parse("quiet cairn.disk=\"QEMU HARDDISK\" a=1 a=2 cairn\n");
        assert_eq!(line.get("cairn.disk"), Some("QEMU HARDDISK"));
        assert_eq!(line.get("a"), Some("2"));
        assert!(line.has("quiet") && line.has("cairn") && !line.has("a"));
        assert_eq!(line.get("cairn"), None);
    }

    #[test]
    fn what_is_mounted_is_seen() {
        let mounts = "22 1 0:5 / /proc rw - proc proc rw\n23 1 0:6 / /run rw - tmpfs x rw\n";
        assert!(is_mounted(mounts, Path::new("/run")));
        assert!(!is_mounted(mounts, Path::new("/ru")) && !is_mounted("", Path::new("/proc")));
    }

    #[test]
    fn a_machine_that_is_not_ours_is_not_ended_by_reaping() {
        reap();
    }
}
