//! A registered serial number comes back with another TPM: a quarantined record of its own, and the host is warned.

use anyhow::{Context, Result, ensure};
use cairn_lab::{Stage, Tpm};

use crate::play::Play;
use crate::story::Story;

pub(crate) fn tell(story: &Story) -> Result<()> {
    let play = Play::open(story)?;
    play.register("edge-1")?;
    let machine = play.guest("edge-1")?;
    let guest = machine.start(story.net())?;
    play.wait_state("edge-1", "installing|first boot|running", Stage::INSTALLER, &guest)?;
    let ek = play.host("edge-1")?["ek"].clone();
    guest.power_cut();

    let thief = Tpm::certified(&story.folder().join("other-tpm"), &story.tpm_ca()?)?;
    let guest = machine.tpm(thief).start(story.net())?;
    let conflict = play.wait(Stage::INSTALLER, &guest, "edge-1", || {
        Ok(play.hosts()?.into_iter().find(|h| h["state"] == "quarantined"))
    })?;
    let why = conflict["why"].as_str().context("no reason")?;
    ensure!(why.contains("its TPM is not the one known for edge-1"), "why: {why}");
    story.mark(format!("{} is quarantined: {why}", conflict["name"]));
    let host = play.host("edge-1")?;
    ensure!(host["ek"] == ek && host["state"] != "quarantined", "the true host was touched: {host}");
    let warned = play.timeline("edge-1")?.iter().any(|l| l.level == "warn" || l.level == "bad");
    ensure!(warned, "the true host was not warned");
    Ok(())
}
