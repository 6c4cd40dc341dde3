//! No TPM, a TPM without a certificate, a TPM of an unknown maker: each refused, with the reason on the timeline.

use anyhow::{Result, ensure};
use cairn_lab::{Stage, Tpm};

use crate::play::Play;
use crate::story::Story;

pub(crate) fn tell(story: &Story) -> Result<()> {
    let play = Play::open(story)?;
    let bare = Tpm::bare(&story.folder().join("bare-tpm"))?;
    let foreign = Tpm::certified(&story.folder().join("foreign-tpm"), &story.unknown_tpm_ca()?)?;
    for (name, tpm, reason) in [
        ("no-tpm", None, "it has none that works"),
        ("bare-tpm", Some(bare), "TPM without a certificate"),
        ("foreign-tpm", Some(foreign), "chain does not verify"),
    ] {
        let mut machine = play.guest(name)?;
        machine.tpm = tpm;
        // Known by its address too: a machine without proof is told apart by nothing else.
        play.site.call(&["host", "register", name, "--serial", &machine.serial, "--mac", &machine.mac])?;
        let guest = machine.start(story.net())?;
        play.wait_note(name, ("attest.refused", reason), Stage::INSTALLER, &guest)?;
        ensure!(!play.host(name)?["ek"].is_string(), "{name} counts as proven");
        guest.power_cut();
    }
    Ok(())
}
