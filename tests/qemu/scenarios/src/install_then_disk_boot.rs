//! From power-on to running, and again from the disk after a power cut: the network offers no installer to an installed host.

use anyhow::{Result, ensure};
use cairn_lab::Stage;

use crate::play::Play;
use crate::story::Story;

pub(crate) fn tell(story: &Story) -> Result<()> {
    let play = Play::open(story)?;
    play.register("edge-1")?;
    let machine = play.guest("edge-1")?;
    let guest = machine.start(story.net())?;
    play.wait_state("edge-1", "installing|first boot|running", Stage::INSTALLER, &guest)?;
    play.wait_state("edge-1", "first boot|running", Stage::WRITE, &guest)?;
    play.wait_state("edge-1", "running", Stage::FIRST_BOOT, &guest)?;
    play.wait_note("edge-1", ("agent.inventory", "MiB of memory"), Stage::LOCAL, &guest)?;
    let host = play.host("edge-1")?;
    ensure!(host["installed"]["image"] == "tiny", "installed: {}", host["installed"]);
    guest.power_cut();
    story.mark("power cut");

    let guest = machine.start(story.net())?;
    let proofs = |play: &Play<'_>| -> Result<usize> {
        Ok(play
            .timeline("edge-1")?
            .iter()
            .filter(|l| l.text.contains("its installed system proved itself"))
            .count())
    };
    play.wait(Stage::FIRST_BOOT, &guest, "edge-1", || Ok((proofs(&play)? >= 2).then_some(())))?;
    story.mark("proved itself again from the disk");
    let installs = play.timeline("edge-1")?.iter().filter(|l| l.code == "install.finished").count();
    ensure!(installs == 1, "{installs} installations");
    Ok(())
}
