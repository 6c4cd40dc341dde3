//! The initramfs: one static program as `/init`, kernel modules, firmware. No shell, no other program.
//!
//! ```text
//! member 1                             the same for every build of the program
//!   /lib/modules/<version>/            modules, modules.dep, modules.alias, modules.softdep, modules.builtin
//!   /lib/modules/load.list             names of the modules to load at start, one a line, each after what it needs
//!   /lib/firmware/                     what the modules declare
//! member 2
//!   /init                              PID 1
//!   /dev /proc /sys /run /tmp /sysroot /etc   empty, to mount on; /dev/console
//! ```
//! Each member is one zstd frame; the provisioner adds a third with the site's files.

use std::fs;
use std::path::{Path, PathBuf};

use cairn_uki::cpio::{Archive, Device, DeviceKind};
use cairn_uki::initramfs::compress;

use crate::error::{BuildError, at};
use crate::firmware::{Entry, Files};
use crate::kernel::Kernel;
use crate::modules::{Selection, name_of};

/// The most that the kernel's decompressor surely reads; level does not change the time to decompress.
const LEVEL: i32 = 19;

/// What the first member holds.
#[derive(Debug)]
pub(crate) struct Drivers<'a> {
    pub(crate) kernel: &'a Kernel,
    pub(crate) selection: &'a Selection,
    pub(crate) firmware: &'a Files,
}

/// The member with modules and firmware. `work` is an empty folder for what depmod makes.
pub(crate) fn drivers(drivers: &Drivers<'_>, work: &Path) -> Result<Vec<u8>, BuildError> {
    let mut archive = Archive::new();
    add_modules(&mut archive, drivers, work)?;
    for (name, entry) in drivers.firmware {
        let path = format!("lib/firmware/{name}");
        match entry {
            Entry::File(from) => archive.file(&path, 0o644, fs::read(from).map_err(at(from))?)?,
            Entry::Link(target) => archive.symlink(&path, target)?,
        }
    }
    Ok(compress(&archive.finish()?, LEVEL)?)
}

/// The member with the program.
pub(crate) fn program(init: &Path) -> Result<Vec<u8>, BuildError> {
    let mut archive = Archive::new();
    for dir in ["dev", "proc", "sys", "run", "sysroot", "etc"] {
        archive.dir(dir, 0o755)?;
    }
    archive.dir("tmp", 0o1777)?;
    archive.device("dev/console", 0o600, Device { kind: DeviceKind::Character, major: 5, minor: 1 })?;
    archive.file("init", 0o755, fs::read(init).map_err(at(init))?)?;
    Ok(compress(&archive.finish()?, LEVEL)?)
}

fn add_modules(archive: &mut Archive, drivers: &Drivers<'_>, work: &Path) -> Result<(), BuildError> {
    let folder = drivers.kernel.copy_modules(&drivers.selection.files, work)?;
    let base = format!("lib/modules/{}", drivers.kernel.version);
    let indexes = ["modules.dep", "modules.alias", "modules.softdep", "modules.builtin"];
    let files = drivers.selection.files.iter().map(String::as_str).chain(indexes);
    for file in files {
        let from: PathBuf = folder.join(file);
        archive.file(&format!("{base}/{file}"), 0o644, fs::read(&from).map_err(at(&from))?)?;
    }
    let list: String = drivers.selection.load.iter().map(|path| format!("{}\n", name_of(path))).collect();
    Ok(archive.file("lib/modules/load.list", 0o644, list)?)
}
