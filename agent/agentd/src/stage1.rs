//! First stage of the installed OS: from the initramfs to the root file system of the booted slot.
//!
//! What is handed over lies in /run/cairn, which moves along: the site's trust (from the measured UKI), the host's file
//! (from the ESP; no secret, and nothing in it is believed for security), the slot.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use cairn_contract::HostFile;
use cairn_machine::modules::Modules;
use cairn_machine::slots::{self, Installed, Slot};
use cairn_machine::start::{self, CommandLine};

/// Only the initramfs has it at this place.
const SITE: &str = "/cairn/site.json";
const LIST: &str = "/lib/modules/load.list";
const HANDED_OVER: &str = "/run/cairn";
const ROOT: &str = "/sysroot";
const DISK_LIMIT: Duration = Duration::from_secs(30);

/// Whether this is the initramfs.
pub fn is_here() -> bool {
    Path::new(SITE).exists()
}

/// Never returns without an error: the next program takes this process over.
pub fn run() -> anyhow::Result<()> {
    start::mount_basics()?;
    let _ = start::open_console();
    load_modules();
    let slot = match CommandLine::read().ok().as_ref().and_then(|c| c.get("cairn.slot")) {
        Some("b") => Slot::B,
        _ => Slot::A,
    };
    let installed = wait_for_disk(slot)?;
    start::mount_read_only(&installed.root, Path::new(ROOT), "erofs")?;
    hand_over(&installed, slot)?;
    tracing::info!("starting the system on {}", installed.root.display());
    match start::switch_root(Path::new(ROOT), "/sbin/init", &[])? {}
}

fn load_modules() {
    match Modules::of_running_kernel() {
        Ok(mut modules) => {
            if let Err(error) = modules.load_list(Path::new(LIST)) {
                tracing::warn!("{error}");
            }
            modules.load_for_devices();
        }
        Err(error) => tracing::warn!("no kernel modules: {error}"),
    }
}

fn wait_for_disk(slot: Slot) -> anyhow::Result<Installed> {
    let end = Instant::now() + DISK_LIMIT;
    loop {
        // The table is on the disk before the kernel has made the partitions' devices.
        if let Some(installed) = slots::find(slot).filter(|i| i.root.exists() && i.esp.exists()) {
            return Ok(installed);
        }
        if Instant::now() >= end {
            anyhow::bail!("no disk holds slot {}", slot.letter());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn hand_over(installed: &Installed, slot: Slot) -> anyhow::Result<()> {
    let to = Path::new(HANDED_OVER);
    fs::create_dir_all(to).context("cannot make /run/cairn")?;
    fs::copy(SITE, to.join("site.json")).context("cannot hand over the site's trust")?;
    fs::write(to.join("slot"), slot.letter()).context("cannot hand over the slot")?;
    // Without the ESP's file the host runs as well; it has no name then.
    match host_file(installed) {
        Ok((bytes, file)) => {
            fs::write(to.join("host.json"), bytes).context("cannot hand over the host's file")?;
            if let Err(error) = nix::unistd::sethostname(&file.host_name) {
                tracing::warn!("the host name is not set: {error}");
            }
        }
        Err(error) => tracing::warn!("no host file: {error:#}"),
    }
    Ok(())
}

fn host_file(installed: &Installed) -> anyhow::Result<(Vec<u8>, HostFile)> {
    let at = Path::new("/run/cairn/esp");
    start::mount_read_only(&installed.esp, at, "vfat")?;
    let bytes = fs::read(at.join("cairn/host.json")).context("cannot read cairn/host.json");
    start::unmount(at)?;
    let _ = fs::remove_dir(at);
    let bytes = bytes?;
    let file = serde_json::from_slice(&bytes).context("cairn/host.json is not what it should be")?;
    Ok((bytes, file))
}
