//! From recipe to bundle: which stages, in which order, with which keys.

use std::fs;
use std::path::{Path, PathBuf};

use cairn_apt::{Apt, Source, machine_sources};
use cairn_uki::initramfs::join;

use crate::bundle::{self, ImageManifest, InstallerManifest, Member};
use crate::cache::{Cache, Key};
use crate::debian::{self, Base};
use crate::erofs::{self, Owners};
use crate::error::{BuildError, at};
use crate::firmware::{Files, Source as FirmwareSource};
use crate::initrd;
use crate::kernel::Kernel;
use crate::modules::{Index, Selection};
use crate::recipe::{Boot, Debian, Installer, ModuleSet, Os};
use crate::tree::Tree;

const ARCH: &str = "x86_64";
const SUITE: &str = "bookworm";
const STUB_PACKAGE: &str = "systemd-boot-efi";
const STUB: &str = "usr/lib/systemd/boot/efi/linuxx64.efi.stub";
const INITRD: &str = "initrd.zst";
const ROOT: &str = "root.erofs";

/// The static program that a bundle starts, checked to be static.
#[derive(Debug, Clone)]
pub struct Program(PathBuf);

impl Program {
    /// Checks that the file is an ELF program without an interpreter.
    ///
    /// # Errors
    /// When it cannot be read or is not such a program.
    pub fn at(path: PathBuf) -> Result<Self, BuildError> {
        let bytes = fs::read(&path).map_err(at(&path))?;
        if has_no_interpreter(&bytes) == Some(true) {
            Ok(Self(path))
        } else {
            Err(BuildError::NotStatic(path))
        }
    }
}

/// Builds bundles with one cache.
#[derive(Debug)]
pub struct Builder {
    cache: Cache,
    /// The machine's own sources of Debian.
    suites: Vec<Source>,
    /// Hash of this program: a change of its code makes every stage but the downloads anew.
    code: String,
}

/// The parts that both kinds have.
struct BootParts {
    kernel: Kernel,
    index: Index,
    initrd: PathBuf,
    stub: PathBuf,
}

impl Builder {
    /// A builder with this cache.
    ///
    /// # Errors
    /// When this program's own file or the machine's apt sources cannot be read.
    pub fn new(cache: Cache) -> Result<Self, BuildError> {
        let code = Key::of("code", 1).and_file(Path::new("/proc/self/exe"))?.name();
        Ok(Self { cache, suites: suites()?, code })
    }

    /// Builds an installer bundle into the folder `out` and gives its path.
    ///
    /// # Errors
    /// When a package cannot be had or a stage fails.
    pub fn installer(
        &self,
        recipe: &Installer,
        program: &Program,
        version: u64,
        out: &Path,
    ) -> Result<PathBuf, BuildError> {
        let boot = &recipe.boot;
        let parts = self.boot_parts(boot, &recipe.firmware.packages, program)?;
        let manifest = InstallerManifest {
            kind: "installer".into(),
            flavour: boot.name.clone(),
            version,
            arch: ARCH.into(),
            cmdline: boot.cmdline.clone(),
            os_release: boot.os_release(&version.to_string()),
        };
        let file = out.join(format!("installer-{}.cairn", boot.name));
        bundle::write(&file, "installer.json", &manifest, &parts.members())?;
        Ok(file)
    }

    /// Builds an OS bundle into the folder `out` and gives its path.
    ///
    /// # Errors
    /// When a package cannot be had or a stage fails.
    pub fn os(&self, recipe: &Os, agent: &Program, version: u64, out: &Path) -> Result<PathBuf, BuildError> {
        let boot = &recipe.boot;
        let parts = self.boot_parts(boot, &[], agent)?;
        let root = self.root(recipe, &parts, agent)?;
        let manifest = ImageManifest {
            kind: "os".into(),
            name: boot.name.clone(),
            version,
            os_version: recipe.os_version.clone(),
            arch: ARCH.into(),
            cmdline: boot.cmdline.clone(),
            os_release: boot.os_release(&version.to_string()),
            root_mib: recipe.root_mib,
            esp_mib: recipe.esp_mib,
        };
        let file = out.join(format!("os-{}.cairn", boot.name));
        let mut members = parts.members();
        members.push((ROOT, root));
        bundle::write(&file, "image.json", &manifest, &members)?;
        Ok(file)
    }

    fn boot_parts(
        &self,
        boot: &Boot,
        firmware: &[String],
        program: &Program,
    ) -> Result<BootParts, BuildError> {
        let apt = self.apt("apt", &self.suites)?;
        let kernel = Kernel::fetch(&self.cache, &apt, &boot.kernel)?;
        let index = Index::read(&kernel.version, &kernel.modules())?;
        let selection = index.select(&boot.modules)?;
        let firmware = self.firmware(firmware)?;
        let firmware_key = firmware.as_ref().map_or("", |source| source.key.as_str());
        let driver_key =
            Key::of("drivers", 1).and(&kernel.key).and(firmware_key).and(format!("{selection:?}"));
        let member = self.member(&format!("drivers {}", boot.name), &driver_key, |work| {
            let files = declared(firmware.as_ref(), &kernel, &selection)?;
            let drivers = initrd::Drivers { kernel: &kernel, selection: &selection, firmware: &files };
            initrd::drivers(&drivers, work)
        })?;
        let key = Key::of("initrd", 1).and(&self.code).and(driver_key.name()).and_file(&program.0)?;
        let initrd = self.member(&format!("initrd {}", boot.name), &key, |_| {
            let drivers = fs::read(&member).map_err(at(&member))?;
            Ok(join(&[&drivers, &initrd::program(&program.0)?]))
        })?;
        let stub = self.stub(&apt)?;
        Ok(BootParts { kernel, index, initrd, stub })
    }

    /// A cached file that `make` makes, with an empty folder to work in.
    fn member(
        &self,
        kind: &str,
        key: &Key,
        make: impl FnOnce(&Path) -> Result<Vec<u8>, BuildError>,
    ) -> Result<PathBuf, BuildError> {
        let dir = self.cache.entry(kind, key, |dir| {
            let work = dir.join("work");
            fs::create_dir(&work).map_err(at(&work))?;
            let bytes = make(&work)?;
            fs::remove_dir_all(&work).map_err(at(&work))?;
            fs::write(dir.join(INITRD), bytes).map_err(at(dir))
        })?;
        Ok(dir.join(INITRD))
    }

    fn firmware(&self, packages: &[String]) -> Result<Option<FirmwareSource>, BuildError> {
        if packages.is_empty() {
            return Ok(None);
        }
        let sources: Vec<Source> =
            self.suites.iter().map(|s| s.with_component("non-free-firmware")).collect();
        let apt = self.apt("apt-firmware", &sources)?;
        FirmwareSource::fetch(&self.cache, &apt, packages).map(Some)
    }

    fn stub(&self, apt: &Apt) -> Result<PathBuf, BuildError> {
        let key = Key::of("stub", 1).and(format!("{:?}", apt.candidates(&[STUB_PACKAGE])?));
        let dir = self.cache.entry("systemd stub", &key, |dir| Ok(apt.unpack(&[STUB_PACKAGE], dir)?))?;
        let stub = dir.join(STUB);
        if !stub.is_file() {
            return Err(BuildError::NotInPackage { package: STUB_PACKAGE.into(), what: STUB.into() });
        }
        Ok(stub)
    }

    fn root(&self, recipe: &Os, parts: &BootParts, agent: &Program) -> Result<PathBuf, BuildError> {
        let base = match &recipe.debian {
            Some(debian) => {
                Some((debian, Base::fetch(&self.cache, &self.apt("apt", &self.suites)?, debian)?))
            }
            None => None,
        };
        let base_key = base.as_ref().map_or("", |(_, base)| base.key.as_str());
        let key = Key::of("root", 1).and(&self.code).and(&parts.kernel.key).and(base_key);
        let key = key.and(format!("{recipe:?}")).and_file(&agent.0)?;
        let dir = self.cache.entry(&format!("root {}", recipe.boot.name), &key, |dir| {
            let tree = Tree::at(dir.join("tree"));
            fs::create_dir(tree.root()).map_err(at(tree.root()))?;
            let owners = match &base {
                Some((debian, base)) => debian_tree(&tree, base, (&recipe.boot, debian), parts, agent)?,
                None => tiny_tree(&tree, &recipe.boot, parts, agent)?,
            };
            let limit = u64::from(recipe.root_mib) << 20;
            erofs::build(tree.root(), &dir.join(ROOT), &key.name(), owners, limit)?;
            fs::remove_dir_all(tree.root()).map_err(at(tree.root()))
        })?;
        Ok(dir.join(ROOT))
    }

    fn apt(&self, name: &str, sources: &[Source]) -> Result<Apt, BuildError> {
        Ok(Apt::open(&self.cache.dir(name), sources)?)
    }
}

impl BootParts {
    fn members(&self) -> Vec<Member> {
        vec![("vmlinuz", self.kernel.image()), (INITRD, self.initrd.clone()), ("stub.efi", self.stub.clone())]
    }

    fn copy_modules(&self, set: &ModuleSet, tree: &Tree) -> Result<(), BuildError> {
        let selection = self.index.select(set)?;
        self.kernel.copy_modules(&selection.files, tree.root()).map(drop)
    }
}

fn declared(
    source: Option<&FirmwareSource>,
    kernel: &Kernel,
    selection: &Selection,
) -> Result<Files, BuildError> {
    let modules: Vec<PathBuf> = selection.files.iter().map(|f| kernel.modules().join(f)).collect();
    source.map_or_else(|| Ok(Files::new()), |source| source.declared_by(&modules))
}

fn debian_tree(
    tree: &Tree,
    base: &Base,
    (boot, recipe): (&Boot, &Debian),
    parts: &BootParts,
    agent: &Program,
) -> Result<Owners, BuildError> {
    base.unpack(tree.root())?;
    debian::make_immutable(tree, boot, recipe, &agent.0)?;
    let mut set = recipe.modules.clone();
    set.names.extend(boot.modules.load.iter().cloned());
    parts.copy_modules(&set, tree)?;
    Ok(Owners::Kept)
}

/// The agent as `/sbin/init`, the modules of the initramfs, and folders to mount on.
fn tiny_tree(tree: &Tree, boot: &Boot, parts: &BootParts, agent: &Program) -> Result<Owners, BuildError> {
    for dir in ["dev", "proc", "sys", "run", "var", "etc", "data", "efi"] {
        tree.dir(dir, 0o755)?;
    }
    tree.dir("tmp", 0o1777)?;
    tree.file("sbin/init", 0o755, fs::read(&agent.0).map_err(at(&agent.0))?)?;
    tree.file("etc/os-release", 0o644, boot.os_release("1"))?;
    tree.file("etc/machine-id", 0o444, "")?;
    parts.copy_modules(&boot.modules, tree)?;
    Ok(Owners::Root)
}

/// Debian's base suite with its updates and security fixes, from the machine's own mirrors.
fn suites() -> Result<Vec<Source>, BuildError> {
    let wanted = [SUITE.to_owned(), format!("{SUITE}-updates"), format!("{SUITE}-security")];
    let found: Vec<Source> = machine_sources()?.into_iter().filter(|s| wanted.contains(&s.suite)).collect();
    if found.iter().any(|s| s.suite == SUITE) { Ok(found) } else { Err(BuildError::NoSuite(SUITE)) }
}

/// Whether a 64-bit little-endian ELF file has no `PT_INTERP` segment; `None` when it is not such a file.
fn has_no_interpreter(elf: &[u8]) -> Option<bool> {
    const PT_INTERP: u32 = 3;
    let number = |from: usize, bytes: usize| {
        let slice = elf.get(from..from.checked_add(bytes)?)?;
        usize::try_from(slice.iter().rev().fold(0_u64, |n, b| n << 8 | u64::from(*b))).ok()
    };
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (table, size, count) = (number(0x20, 8)?, number(0x36, 2)?, number(0x38, 2)?);
    for segment in 0..count {
        let kind = number(table.checked_add(segment.checked_mul(size)?)?, 4)?;
        if kind == usize::try_from(PT_INTERP).ok()? {
            return Some(false);
        }
    }
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_itself_is_not_static_and_a_text_is_no_program() {
        let own = fs::read("/proc/self/exe").unwrap();
        assert_eq!(has_no_interpreter(&own), Some(false));
        assert_eq!(has_no_interpreter(b"#!/bin/sh\n"), None);
        assert!(own.get(..70).is_some_and(|cut| has_no_interpreter(cut).is_none()));
    }
}
