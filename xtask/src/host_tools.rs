//! The Debian packages that a task needs: checked, announced, then installed. Not the contents of images.
//!
//! QEMU comes from backports: Debian 12's own Breaks the `qemu-utils` of backports that a machine may have,
//! and 10.0 is what the lab was measured with. OVMF stays Debian 12's, whose TLS has no elliptic curves.
//! PostgreSQL is wanted for its programs: tests start servers of their own, and no cluster of the machine's is made.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use cairn_apt::{Source, machine_sources, render};

use crate::command::Program;

const SUITE: &str = "bookworm";
const BACKPORTS: &str = "bookworm-backports";
const BACKPORTS_FILE: &str = "/etc/apt/sources.list.d/cairn-backports.sources";
/// The OVMF that the HTTPS scenarios are about.
const OVMF_VERSION: &str = "2022.11";

const FROM_BACKPORTS: [&str; 3] = ["qemu-system-x86", "qemu-utils", "seabios"];
/// Read by `pg_createcluster`, which the package of the server calls when it is installed.
const CLUSTERS_FILE: &str = "/etc/postgresql-common/createcluster.d/cairn.conf";

const FOR_SOURCES: [&str; 19] = [
    "swtpm",
    "swtpm-tools",
    "sbsigntool",
    "dosfstools",
    "mtools",
    "zstd",
    "cpio",
    "erofs-utils",
    "postgresql",
    "python3-venv",
    "skopeo",
    "containerd",
    "runc",
    "docker-registry",
    "nginx-light",
    "containernetworking-plugins",
    "busybox-static",
    "protobuf-compiler",
    "iproute2",
];
/// Kubernetes is built here, from Debian's source; the rest of a node is Debian's.
const FOR_KUBERNETES: [&str; 14] = [
    "golang-1.19-go",
    "dpkg-dev",
    "make",
    "rsync",
    "jq",
    "xz-utils",
    "etcd-server",
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "conntrack",
    "iproute2",
    "busybox-static",
];
const FOR_IMAGES: [&str; 6] = ["mmdebstrap", "erofs-utils", "systemd-boot-efi", "kmod", "zstd", "cpio"];
const FOR_LAB: [&str; 9] = [
    "ovmf",
    "swtpm",
    "swtpm-tools",
    "busybox-static",
    "iproute2",
    "dosfstools",
    "mtools",
    "sbsigntool",
    "e2fsprogs",
];

/// What a task is going to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// `cargo test`, and the tests of API and guide.
    Sources,
    /// Build Kubernetes and run its parts.
    Kubernetes,
    /// Build bundles.
    Image,
    /// Build bundles and run virtual hosts.
    Lab,
}

/// What to do about packages that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Install {
    Missing,
    List,
}

/// Packages to install, by where they come from.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shortage {
    main: Vec<String>,
    backports: Vec<String>,
}

/// Sees to it that all packages for `purpose` are there.
pub(crate) fn ensure(purpose: Purpose, install: Install) -> Result<()> {
    let (main, backports) = wanted(purpose);
    let all: Vec<&str> = main.iter().chain(&backports).copied().collect();
    let format = "${db:Status-Status} ${Package} ${Version}\n";
    let installed = Program::new("dpkg-query").args(["-W", "-f", format]).args(&all).whatever()?;
    obtain(&shortage(&main, &backports, &installed), install)
}

/// Sees to it that one package of the suite is there, whatever else the machine has.
pub(crate) fn ensure_package(name: &str, install: Install) -> Result<()> {
    obtain(&Shortage { main: vec![name.to_owned()], backports: Vec::new() }, install)
}

fn obtain(shortage: &Shortage, install: Install) -> Result<()> {
    if *shortage == Shortage::default() {
        return Ok(());
    }
    announce(shortage);
    if install == Install::List {
        bail!("these packages are missing and --no-install was given");
    }
    shortage.install().context("the packages could not be installed (is this Debian 12, as root?)")
}

fn wanted(purpose: Purpose) -> (Vec<&'static str>, Vec<&'static str>) {
    let (main, backports): (Vec<&str>, Vec<&str>) = match purpose {
        Purpose::Sources => ([&FOR_SOURCES[..], &FOR_KUBERNETES[..]].concat(), FROM_BACKPORTS.to_vec()),
        Purpose::Kubernetes => (FOR_KUBERNETES.to_vec(), vec![]),
        Purpose::Image => (FOR_IMAGES.to_vec(), vec![]),
        Purpose::Lab => {
            let all = [&FOR_SOURCES[..], &FOR_KUBERNETES[..], &FOR_IMAGES[..], &FOR_LAB[..]];
            (all.concat(), FROM_BACKPORTS.to_vec())
        }
    };
    let mut main = main;
    main.sort_unstable();
    main.dedup();
    (main, backports)
}

/// `installed` holds dpkg-query's lines `status package version`.
fn shortage(main: &[&str], backports: &[&str], installed: &str) -> Shortage {
    let version_of = |name: &str| {
        installed.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some("installed") && words.next() == Some(name)).then(|| words.next())?
        })
    };
    let fits = |name: &str, version: &str| match name {
        "ovmf" => version.starts_with(OVMF_VERSION),
        "qemu-system-x86" => epochless_major(version) >= 10,
        _ => true,
    };
    let lacking = |names: &[&str]| {
        let lacks = |name: &&&str| !version_of(name).is_some_and(|v| fits(name, v));
        names.iter().filter(lacks).map(|n| (*n).to_owned()).collect()
    };
    Shortage { main: lacking(main), backports: lacking(backports) }
}

/// The first number of a Debian version after its epoch.
fn epochless_major(version: &str) -> u32 {
    let upstream = version.split_once(':').map_or(version, |(_, rest)| rest);
    let digits: String = upstream.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

fn announce(shortage: &Shortage) {
    eprintln!("Debian packages that are needed and not there:");
    if !shortage.main.is_empty() {
        eprintln!("  from {SUITE}: {}", shortage.main.join(" "));
    }
    if !shortage.backports.is_empty() {
        eprintln!("  from {BACKPORTS}: {}", shortage.backports.join(" "));
    }
}

impl Shortage {
    fn install(&self) -> Result<()> {
        if !self.backports.is_empty() {
            add_backports()?;
        }
        if self.main.iter().any(|name| name == "postgresql") {
            forbid_clusters()?;
        }
        apt_get(&["update", "-q"])?;
        if !self.main.is_empty() {
            // By suite: another source of the machine may hold a newer ovmf.
            let names =
                self.main.iter().map(|n| if n == "ovmf" { format!("{n}/{SUITE}") } else { n.clone() });
            let names: Vec<String> = names.collect();
            let mut args = vec!["install", "-y", "--no-install-recommends", "--allow-downgrades"];
            args.extend(names.iter().map(String::as_str));
            apt_get(&args)?;
        }
        if !self.backports.is_empty() {
            let mut args = vec!["install", "-y", "--no-install-recommends", "-t", BACKPORTS];
            args.extend(self.backports.iter().map(String::as_str));
            apt_get(&args)?;
        }
        Ok(())
    }
}

/// Adds the backports suite of the machine's own mirror, unless the machine has it.
fn add_backports() -> Result<()> {
    let sources = machine_sources()?;
    let Some(missing) = backports_to_add(&sources)? else { return Ok(()) };
    eprintln!("adding {BACKPORTS} from this machine's own Debian mirror as {BACKPORTS_FILE}");
    std::fs::write(Path::new(BACKPORTS_FILE), render(&[missing]))
        .with_context(|| format!("cannot write {BACKPORTS_FILE}"))
}

fn backports_to_add(sources: &[Source]) -> Result<Option<Source>> {
    if sources.iter().any(|s| s.suite == BACKPORTS) {
        return Ok(None);
    }
    let base = sources.iter().find(|s| s.suite == SUITE);
    let base = base.with_context(|| format!("no apt source of this machine gives {SUITE} main"))?;
    Ok(Some(base.with_suite(BACKPORTS)))
}

/// Keeps the package of PostgreSQL from making a cluster and starting it.
fn forbid_clusters() -> Result<()> {
    let path = Path::new(CLUSTERS_FILE);
    if path.exists() {
        return Ok(());
    }
    eprintln!("writing {CLUSTERS_FILE}: PostgreSQL is installed without a cluster of its own");
    let text = "# Made by cargo xtask: tests start servers of their own.\ncreate_main_cluster = false\n";
    let written =
        path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(path, text));
    written.with_context(|| format!("cannot write {CLUSTERS_FILE}"))
}

fn apt_get(args: &[&str]) -> Result<()> {
    Program::new("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive").run()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTALLED: &str = "\
installed ovmf 2025.02-8
installed kmod 30+20221128-1
config-files zstd 1.5.4
installed qemu-system-x86 1:7.2+dfsg-7
";

    #[test]
    fn removed_and_unfit_packages_count_as_missing() {
        let found = shortage(&["kmod", "ovmf", "zstd"], &["qemu-system-x86", "seabios"], INSTALLED);
        assert_eq!(found.main, ["ovmf", "zstd"]);
        assert_eq!(found.backports, ["qemu-system-x86", "seabios"]);
    }

    #[test]
    fn nothing_is_missing_on_a_prepared_machine() {
        let line = |n: &str, v: &str| format!("installed {n} {v}\n");
        let (main, backports) = wanted(Purpose::Lab);
        let mut text: String = main.iter().map(|n| line(n, "2022.11-6")).collect();
        text.extend(backports.iter().map(|n| line(n, "1:10.0.2+ds-2")));
        assert_eq!(shortage(&main, &backports, &text), Shortage::default());
    }

    #[test]
    fn backports_come_from_the_mirror_that_gives_the_suite() {
        let source = |uri: &str, suite: &str| Source {
            uri: uri.into(),
            suite: suite.into(),
            components: vec!["main".into()],
        };
        let have = [source("m:/sec/", "bookworm-security"), source("m:/deb/", SUITE)];
        assert_eq!(backports_to_add(&have).unwrap(), Some(source("m:/deb/", BACKPORTS)));
        assert_eq!(backports_to_add(&[source("m:/deb/", BACKPORTS)]).unwrap(), None);
        assert!(backports_to_add(&[]).is_err());
    }
}
