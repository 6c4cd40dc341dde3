//! A UEFI machine is switched on, boots the installer by HTTP boot, proves itself and gets a plan.

use anyhow::Result;
use cairn_lab::{NetBoot, Stage};

use crate::play::Play;
use crate::story::Story;

pub(crate) fn tell(story: &Story) -> Result<()> {
    let play = Play::open(story)?;
    play.register("edge-1")?;
    let guest = play.guest("edge-1")?.netboot(NetBoot::Http).start(story.net())?;
    play.wait_note("edge-1", ("file.sent", "installer.efi"), Stage::INSTALLER, &guest)?;
    play.wait_state("edge-1", "installing|first boot|running", Stage::INSTALLER, &guest)?;
    play.wait_note("edge-1", ("attest.proven", "installer lab"), Stage::LOCAL, &guest)?;
    Ok(())
}
