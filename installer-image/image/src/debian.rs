//! A root file system from Debian packages: bootstrapped once by mmdebstrap, then made immutable.
//!
//! The root is read-only: `/var` is the data partition, `/tmp` and `/run` are memory. No password, no login, no host
//! keys, no machine id: what is a host's own comes at its first boot.

use std::fs;
use std::path::Path;

use cairn_apt::Apt;

use crate::cache::{Cache, Key};
use crate::error::{BuildError, at};
use crate::program;
use crate::recipe::{Boot, Debian};
use crate::tree::Tree;

const SUITE: &str = "bookworm";
/// Files that dpkg does not even unpack.
const NOT_UNPACKED: [&str; 6] = ["doc", "man", "info", "locale", "lintian", "bug"];

/// The bootstrapped system as a tar file, and its hash.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) key: String,
    tar: std::path::PathBuf,
}

impl Base {
    /// The system with the recipe's packages. Its key holds the name, version and sum of every package.
    pub(crate) fn fetch(cache: &Cache, apt: &Apt, recipe: &Debian) -> Result<Self, BuildError> {
        let mut wanted = vec!["?essential"];
        wanted.extend(recipe.packages.iter().map(String::as_str));
        let key = Key::of("debian base", 1).and(format!("{:?}", apt.closure(&wanted)?));
        let dir =
            cache.entry("debian packages", &key, |dir| bootstrap(apt, recipe, &dir.join("root.tar")))?;
        Ok(Self { key: key.name(), tar: dir.join("root.tar") })
    }

    /// Unpacks it into `root`.
    pub(crate) fn unpack(&self, root: &Path) -> Result<(), BuildError> {
        let options = ["--extract", "--numeric-owner", "--same-owner", "--preserve-permissions", "--file"];
        let mut args = options.map(Into::into).to_vec();
        args.push(self.tar.clone().into_os_string());
        args.extend(["--directory".into(), root.into()]);
        program::run("tar", args).map(drop)
    }
}

fn bootstrap(apt: &Apt, recipe: &Debian, tar: &Path) -> Result<(), BuildError> {
    let mut args: Vec<String> =
        ["--quiet", "--variant=essential", "--architectures=amd64"].map(Into::into).to_vec();
    args.push(format!("--include={}", recipe.packages.join(",")));
    args.push("--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr".into());
    args.push("--aptopt=APT::Install-Recommends \"false\"".into());
    args.extend(machine_settings()?.iter().map(|s| format!("--aptopt={s}")));
    args.extend(NOT_UNPACKED.map(|name| format!("--dpkgopt=path-exclude=/usr/share/{name}/*")));
    args.extend([SUITE.into(), tar.display().to_string(), apt.sources_file().display().to_string()]);
    program::run("mmdebstrap", args).map(drop)
}

/// How this machine fetches (proxies, checks of dates): mmdebstrap's apt does not read the machine's configuration.
fn machine_settings() -> Result<Vec<String>, BuildError> {
    Ok(fetch_settings(&program::run("apt-config", ["dump"])?))
}

/// Lines `Acquire::...` that hold a value and concern fetching, not which indexes exist.
fn fetch_settings(dump: &str) -> Vec<String> {
    let others = ["IndexTargets", "Changelogs", "CompressionTypes", "GzipIndexes", "Languages", "cdrom"];
    let concerns = |line: &&str| {
        line.strip_prefix("Acquire::").is_some_and(|rest| !others.iter().any(|other| rest.starts_with(other)))
            && !line.ends_with("\"\";")
    };
    dump.lines().filter(concerns).map(str::to_owned).collect()
}

/// Makes the unpacked system what the recipe says.
pub(crate) fn make_immutable(
    tree: &Tree,
    boot: &Boot,
    recipe: &Debian,
    agent: &Path,
) -> Result<(), BuildError> {
    keep_package_list(tree)?;
    for path in &recipe.remove {
        tree.remove(path)?;
    }
    for (path, mode) in [("var", 0o755), ("tmp", 0o1777), ("run", 0o755), ("dev", 0o755), ("root", 0o700)] {
        tree.empty(path, mode)?;
    }
    for path in &recipe.directories {
        tree.dir(path, 0o755)?;
    }
    for unit in &recipe.mask {
        tree.link(&format!("etc/systemd/system/{unit}"), "/dev/null")?;
    }
    for file in &recipe.files {
        tree.file(&file.path, 0o644, file.text.trim_start_matches('\n'))?;
    }
    for enable in &recipe.enable {
        let own = tree.root().join("etc/systemd/system").join(&enable.unit).is_file();
        let folder = if own { "/etc/systemd/system" } else { "/lib/systemd/system" };
        let wants = format!("etc/systemd/system/{}/{}", enable.of, enable.unit);
        tree.link(&wants, &format!("{folder}/{}", enable.unit))?;
    }
    tree.file("usr/bin/cairn-agent", 0o755, fs::read(agent).map_err(at(agent))?)?;
    tree.file("etc/machine-id", 0o444, "")?;
    tree.link("etc/resolv.conf", "/run/systemd/resolve/resolv.conf")?;
    tree.file("usr/lib/os-release", 0o644, format!("{}ID_LIKE=debian\n", boot.os_release("12")))
}

/// What is in the image, after dpkg's own database is gone.
fn keep_package_list(tree: &Tree) -> Result<(), BuildError> {
    let path = tree.root().join("var/lib/dpkg/status");
    let status = fs::read_to_string(&path).map_err(at(&path))?;
    tree.file("usr/share/cairn/packages", 0o644, package_list(&status))
}

/// Lines `name version` from dpkg's status file.
fn package_list(status: &str) -> String {
    let mut out = String::new();
    for paragraph in status.split("\n\n") {
        let field = |name: &str| paragraph.lines().find_map(|l| l.strip_prefix(name));
        if let (Some(name), Some(version)) = (field("Package: "), field("Version: ")) {
            out.push_str(&format!("{name} {version}\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_passed_on_and_indexes_are_not() {
        let dump = "Acquire \"\";\nAcquire::http::Proxy \"p:/\";\nAcquire::Languages:: \"none\";\n\
            Acquire::cdrom \"\";\nAPT::X \"1\";\nAcquire::Check-Date \"false\";\n";
        assert_eq!(fetch_settings(dump), ["Acquire::http::Proxy \"p:/\";", "Acquire::Check-Date \"false\";"]);
    }

    #[test]
    fn the_package_list_names_each_package_with_its_version() {
        let status = "Package: a\nStatus: install ok installed\nVersion: 1\n\nPackage: b\nVersion: 2:3-4\n";
        assert_eq!(package_list(status), "a 1\nb 2:3-4\n");
    }
}
