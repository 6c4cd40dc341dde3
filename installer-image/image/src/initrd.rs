//! The initramfs: one static program as `/init`, kernel modules, firmware. No shell, no other program.
//!
//! ```text
//! /init                            PID 1
//! /dev /proc /sys /run /tmp /sysroot   empty, to mount on; /dev/console
//! /lib/modules/<version>/          modules, modules.dep, modules.alias, modules.softdep, modules.builtin
//! /lib/modules/load.list           names of the modules to load at start, one a line, each after what it needs
//! /lib/firmware/                   what the modules declare
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use cairn_uki::cpio::{Archive, Device, DeviceKind};
use cairn_uki::initramfs::compress;

use crate::error::{BuildError, at};
use crate::firmware::{Entry, Files};
use crate::kernel::Kernel;
use crate::modules::{Selection, name_of};

/// What goes in.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) init: &'a Path,
    pub(crate) kernel: &'a Kernel,
    pub(crate) selection: &'a Selection,
    pub(crate) firmware: &'a Files,
    /// zstd's, 1 to 19.
    pub(crate) level: i32,
}

/// The compressed initramfs. `work` is an empty folder for what depmod makes.
pub(crate) fn build(parts: &Parts<'_>, work: &Path) -> Result<Vec<u8>, BuildError> {
    let mut archive = Archive::new();
    for dir in ["dev", "proc", "sys", "run", "sysroot", "etc"] {
        archive.dir(dir, 0o755)?;
    }
    archive.dir("tmp", 0o1777)?;
    archive.device("dev/console", 0o600, Device { kind: DeviceKind::Character, major: 5, minor: 1 })?;
    archive.file("init", 0o755, fs::read(parts.init).map_err(at(parts.init))?)?;
    add_modules(&mut archive, parts, work)?;
    for (name, entry) in parts.firmware {
        let path = format!("lib/firmware/{name}");
        match entry {
            Entry::File(from) => archive.file(&path, 0o644, fs::read(from).map_err(at(from))?)?,
            Entry::Link(target) => archive.symlink(&path, target)?,
        }
    }
    Ok(compress(&archive.finish()?, parts.level)?)
}

fn add_modules(archive: &mut Archive, parts: &Parts<'_>, work: &Path) -> Result<(), BuildError> {
    let folder = parts.kernel.copy_modules(&parts.selection.files, work)?;
    let base = format!("lib/modules/{}", parts.kernel.version);
    let indexes = ["modules.dep", "modules.alias", "modules.softdep", "modules.builtin"];
    let files = parts.selection.files.iter().map(String::as_str).chain(indexes);
    for file in files {
        let from: PathBuf = folder.join(file);
        archive.file(&format!("{base}/{file}"), 0o644, fs::read(&from).map_err(at(&from))?)?;
    }
    let list: String = parts.selection.load.iter().map(|path| format!("{}\n", name_of(path))).collect();
    Ok(archive.file("lib/modules/load.list", 0o644, list)?)
}
