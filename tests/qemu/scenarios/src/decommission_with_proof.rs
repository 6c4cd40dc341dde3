//! Out of service: the disk that was installed is wiped, the TPM signs for it, the machine turns itself off and is nobody's.

use anyhow::{Result, ensure};
use cairn_lab::{Disk, Guest, Stage};
use serde_json::Value;

use crate::play::{DISK, Play};
use crate::story::Story;

/// Zeros by the device, and 96 MiB read back and hashed.
const WIPE: Stage = Stage::new("disk wiped", 30.0);
const OFF: Stage = Stage::new("machine off", 10.0);
/// Larger than the other, so that the installer does not take it.
const OTHER: u64 = 3 << 30;

pub(crate) fn tell(story: &Story) -> Result<()> {
    let play = Play::open(story)?;
    play.register("edge-1")?;
    let other = Disk::create(&story.folder().join("other.raw"), OTHER)?.data_only();
    other.write(1 << 30, b"not yours to erase")?;
    let untouched = other.digest(0..OTHER)?;
    let machine = play.guest("edge-1")?.disk(other.clone());
    let guest = machine.start(story.net())?;
    play.wait_state("edge-1", "installing|first boot|running", Stage::INSTALLER, &guest)?;
    play.wait_state("edge-1", "first boot|running", Stage::WRITE, &guest)?;
    play.wait_state("edge-1", "running", Stage::FIRST_BOOT, &guest)?;

    play.site.call(&["decommission", "host", "edge-1", "--yes"])?;
    play.wait_state("edge-1", "retiring", Stage::LOCAL, &guest)?;
    guest.power_cut();
    let machine = network_first(machine);
    let guest = machine.start(story.net())?;
    play.wait_state("edge-1", "wiping", Stage::INSTALLER, &guest)?;
    guest.power_cut();
    ensure!(play.state("edge-1")? == "wiping", "the wipe was over before the power was cut");
    story.mark("power cut while wiping");

    let guest = machine.start(story.net())?;
    play.wait_note("edge-1", ("wipe.proven", "read back as zero"), Stage::new("wipe", 60.0), &guest)?;
    play.wait_state("edge-1", "retired", WIPE, &guest)?;
    guest.wait_off(OFF)?;
    story.mark("the machine turned itself off");
    wiped(&play, &machine)?;
    ensure!(other.digest(0..OTHER)? == untouched, "the other disk was touched");
    nobody(&play, &machine)
}

/// As an operator does it in the firmware's menu.
fn network_first(mut machine: Guest) -> Guest {
    machine.disks = machine.disks.into_iter().map(Disk::data_only).collect();
    machine
}

/// Every byte is zero, and the record says so with the TPM's signature.
fn wiped(play: &Play<'_>, machine: &Guest) -> Result<()> {
    let disk = Disk::open(&play.story.folder().join("edge-1.raw"))?;
    const STEP: u64 = 16 << 20;
    for offset in (0..DISK).step_by(16 << 20) {
        let found = disk.read(offset..(offset + STEP).min(DISK))?.iter().position(|byte| *byte != 0);
        ensure!(found.is_none(), "the disk keeps data near byte {offset}");
    }
    let host = play.site.json(&["host", "show", "edge-1"])?;
    let retired = &host["status"]["retired"];
    ensure!(retired["serial"] == "edge-1" && retired["bytes"] == DISK, "retired: {retired}");
    let signed = |field: &str| retired["proof"][field].as_str().is_some_and(|text| text.len() > 64);
    ensure!(["akPublic", "ak_public"].into_iter().any(signed) && signed("quote"), "no quote: {retired}");
    let ek = |value: &Value| value["status"]["tpm"]["ek"].clone();
    ensure!(ek(&host) == Value::Null && retired["ek"].is_string(), "its EK is still its own");
    play.story.mark(format!("{} of {} by {}", retired["method"], retired["bytes"], machine.name));
    Ok(())
}

/// The machine knocks again, and nobody knows it; the record can go.
fn nobody(play: &Play<'_>, machine: &Guest) -> Result<()> {
    let guest = machine.start(play.story.net())?;
    play.wait(Stage::INSTALLER, &guest, "edge-1", || {
        Ok(play.hosts()?.into_iter().find(|host| host["state"] == "pending"))
    })?;
    play.story.mark("the machine waits as an unknown one");
    guest.power_cut();
    play.site.call(&["delete", "host", "edge-1", "--yes"])?;
    ensure!(play.hosts()?.iter().all(|host| host["name"] != "edge-1"), "the record is still there");
    Ok(())
}
