//! The benchmark's peer: what people write by hand to put an image on a disk, `wget | zstd -dc | dd` of busybox.
//!
//! Not a part of the product. It runs in the same guest as the installer: same kernel, same modules, same initramfs with
//! another `/init`, same memory, TPM and disk.

mod image;
mod initramfs;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use cairn_lab::{Disk, Guest, Net, NetBoot, Owned, Stage};

use crate::bench::{Stopped, Watched};
pub(crate) use image::Image;

/// What its script says first and last; `reboot` is the kernel's own line.
pub(crate) const BEGINS: &str = "reference: begins";
const WRITING: Stage = Stage::new("reference pipeline writes and reboots", 60.0);
const PORT: u16 = 8081;

/// A pipeline that is ready to run.
#[derive(Debug)]
pub(crate) struct Pipeline {
    kernel: PathBuf,
    initrd: PathBuf,
    cmdline: String,
    /// Serves the image; ends when dropped.
    _server: Owned,
}

impl Pipeline {
    /// Builds its initramfs from the installer's bundle, and serves the image inside the network.
    pub(crate) fn prepare(net: &Net, image: &Image, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let bundle = initramfs::Bundle::of_lab_installer()?;
        let url = format!("http://{}:{PORT}/{}", Net::SERVER, image.name());
        let (kernel, initrd) = (folder.join("vmlinuz"), folder.join("initrd"));
        std::fs::write(&kernel, &bundle.kernel)?;
        std::fs::write(&initrd, initramfs::build(&bundle, &url)?)?;
        let mut server = net.command("busybox");
        let place = format!("{}:{PORT}", Net::SERVER);
        server.args(["httpd", "-f", "-p", &place, "-h"]).arg(image.folder()).stdin(Stdio::null());
        let server = Owned::new(server.spawn().context("cannot start busybox httpd")?);
        Ok(Self { kernel, initrd, cmdline: bundle.cmdline, _server: server })
    }

    /// Runs it once in this machine, on an empty disk, and checks what it wrote.
    pub(crate) fn run(&self, net: &Net, machine: Guest, disk: &Disk, image: &Image) -> Result<Stopped> {
        let mut machine = machine.netboot(NetBoot::Off);
        machine.ends_on_reboot = true;
        let words = [
            ("-kernel", self.kernel.to_string_lossy()),
            ("-initrd", self.initrd.to_string_lossy()),
            ("-append", self.cmdline.as_str().into()),
        ];
        machine.extra =
            words.into_iter().flat_map(|(flag, value)| [flag.into(), value.into_owned()]).collect();
        let guest = machine.start(net)?;
        let watched = Watched::from(&guest, BEGINS)?;
        let stopped = watched.to_reboot(&guest, "reference: failed", WRITING)?;
        guest.wait_off(Stage::LOCAL)?;
        ensure!(
            disk.digest(0..image.size())? == image.digest(),
            "the reference pipeline wrote something else"
        );
        Ok(stopped)
    }
}
