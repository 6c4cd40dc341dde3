//! The reference pipeline's initramfs: the installer's own, with a second member that replaces `/init` by a script.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use cairn_uki::cpio::Archive;
use cairn_uki::initramfs::{compress, join};
use serde_json::Value;

use crate::built;

const BUSYBOX: &str = "/bin/busybox";
const ZSTD: &str = "/usr/bin/zstd";
const APPLETS: &[&str] =
    &["sh", "mount", "modprobe", "cat", "ip", "udhcpc", "wget", "dd", "sleep", "reboot", "uname"];

/// What the guest runs and what it writes is named, so that the lab can time it.
const SCRIPT: &str = r"#!/bin/sh
echo 'reference: begins'
export PATH=/bin:/usr/bin
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys
modprobe -a $(cat /lib/modules/load.list)
while ! [ -e /sys/class/net/eth0 ] || ! [ -b /dev/vda ]; do sleep 0.05; done
ip link set eth0 up
udhcpc -q -n -f -t 10 -T 1 -i eth0 -s /lease || echo 'reference: failed, no address'
set -o pipefail
wget -q -O - URL | zstd -dc | dd of=/dev/vda bs=4M conv=fsync || echo 'reference: failed, not written'
reboot -f
";
const LEASE: &str = r"#!/bin/sh
case $1 in bound|renew) ip addr replace $ip/${mask:-24} dev $interface;; esac
";

/// Parts of the installer's bundle.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) kernel: Vec<u8>,
    pub(crate) initrd: Vec<u8>,
    pub(crate) cmdline: String,
}

impl Bundle {
    /// The lab's installer, as `cargo xtask` has built it.
    pub(crate) fn of_lab_installer() -> Result<Self> {
        let path = built::bundle("installer-lab")?;
        let mut archive = tar::Archive::new(File::open(&path)?);
        let (mut kernel, mut initrd, mut description) = (Vec::new(), Vec::new(), Vec::new());
        for entry in archive.entries()? {
            let mut entry = entry?;
            let part = match entry.path()?.to_str() {
                Some("vmlinuz") => &mut kernel,
                Some("initrd.zst") => &mut initrd,
                Some("installer.json") => &mut description,
                _ => continue,
            };
            entry.read_to_end(part)?;
        }
        ensure!(!kernel.is_empty() && !initrd.is_empty(), "no kernel or initramfs in {}", path.display());
        let description: Value = serde_json::from_slice(&description)?;
        let cmdline = description["cmdline"].as_str().context("an installer without a command line")?;
        Ok(Self { kernel, initrd, cmdline: cmdline.to_owned() })
    }
}

/// The installer's initramfs with busybox, zstd and the script.
pub(crate) fn build(bundle: &Bundle, url: &str) -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    archive.file("init", 0o755, SCRIPT.replace("URL", url))?;
    archive.file("lease", 0o755, LEASE)?;
    archive.file("bin/busybox", 0o755, read(Path::new(BUSYBOX))?)?;
    for applet in APPLETS {
        archive.symlink(&format!("bin/{applet}"), "busybox")?;
    }
    for path in std::iter::once(PathBuf::from(ZSTD)).chain(libraries(ZSTD)?) {
        let inside = path.to_string_lossy().trim_start_matches('/').to_owned();
        archive.file(&inside, 0o755, read(&path)?)?;
    }
    let member = compress(&archive.finish()?, 3)?;
    Ok(join(&[&bundle.initrd, &member]))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| {
        format!("cannot read {}: the packages busybox-static and zstd are needed", path.display())
    })
}

/// The files that a program loads at its start.
fn libraries(program: &str) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("cannot run ldd")?;
    ensure!(output.status.success(), "ldd does not understand {program}");
    Ok(listed(&String::from_utf8_lossy(&output.stdout)))
}

fn listed(text: &str) -> Vec<PathBuf> {
    let words = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    words.map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_those_that_ldd_finds_as_files() {
        let text = "\tlinux-vdso.so.1 (0x00007f98)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f988ac18000)\n";
        let want = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(listed(text), want.map(PathBuf::from));
    }

    #[test]
    fn the_script_says_what_the_lab_waits_for() {
        assert!(SCRIPT.contains(crate::reference::BEGINS) && SCRIPT.contains("URL"));
    }
}
