//! A BIOS machine boots through iPXE, proves its TPM, and is refused: its firmware does not measure what it boots.

use anyhow::{Result, ensure};
use cairn_lab::{Firmware, NetBoot, Stage};

use crate::play::Play;
use crate::story::Story;

pub(crate) fn tell(story: &Story) -> Result<()> {
    let play = Play::open(story)?;
    let machine = play.guest("old-1")?.firmware(Firmware::Bios).netboot(NetBoot::Pxe);
    // Its address is registered too: what it boots is never proven, so nothing else ties its packets to the host.
    play.site.call(&["host", "register", "old-1", "--serial", &machine.serial, "--mac", &machine.mac])?;
    let guest = machine.start(story.net())?;
    play.wait_note("old-1", ("script.sent", "start the installer"), Stage::INSTALLER_BY_IPXE, &guest)?;
    play.wait_note("old-1", ("attest.claimed", "virtual TPM"), Stage::INSTALLER_BY_IPXE, &guest)?;
    play.wait_note("old-1", ("attest.refused", "cannot prove what it booted"), Stage::ATTESTATION, &guest)?;
    ensure!(play.state("old-1")? == "quarantined", "state: {}", play.state("old-1")?);
    let told = play.timeline("old-1")?;
    ensure!(told.iter().any(|l| l.code == "identity.unbound"), "it does not say that its TPM is not bound");
    ensure!(play.host("old-1")?["ek"].is_null(), "an unmeasured boot bound its TPM to the host");
    Ok(())
}
