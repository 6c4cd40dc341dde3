//! A machine that nobody registered: it proves itself, waits as pending, gets nothing, and is installed once accepted.

use anyhow::{Context, Result, ensure};
use cairn_lab::Stage;

use crate::play::Play;
use crate::story::Story;

pub(crate) fn tell(story: &Story) -> Result<()> {
    let play = Play::open(story)?;
    let guest = play.guest("stranger")?.start(story.net())?;
    let pending = play.wait(Stage::INSTALLER, &guest, "stranger", || {
        Ok(play.hosts()?.into_iter().find(|h| h["state"] == "pending"))
    })?;
    let name = pending["name"].as_str().context("a host without a name")?.to_owned();
    story.mark(format!("{name} is pending"));
    guest.wait_for("nobody has accepted it", Stage::ATTESTATION)?;
    ensure!(play.state(&name)? == "pending", "it did not wait");
    play.site.call(&["host", "accept", &name, "--as", "edge-9"])?;
    play.wait_state("edge-9", "installing|first boot|running", Stage::ATTESTATION, &guest)?;
    Ok(())
}
