//! HTTPS boot by Debian 12's OVMF, which has no elliptic curves: the firmware trusts the site's boot CA and gets DHE.

use anyhow::Result;
use cairn_lab::{NetBoot, Stage, esl};

use crate::built;
use crate::play::Play;
use crate::story::Story;

pub(crate) fn tell(story: &Story) -> Result<()> {
    let play = Play::bare(story, "\n[listen]\nboot = \"https\"\n")?;
    built::add_bundles(&play.site, &["installer-lab", "os-tiny"])?;
    play.register("edge-1")?;
    let ca = esl::certificate(&play.site.folder().join("keys/boot-ca.crt"))?;
    let guest = play.guest("edge-1")?.netboot(NetBoot::Http).trust_https(ca).start(story.net())?;
    let slow = Stage::new("installer over HTTPS", 45.0);
    play.wait_note("edge-1", ("tls.accepted", "no elliptic curves"), Stage::INSTALLER, &guest)?;
    play.wait_note("edge-1", ("file.sent", "installer.efi"), slow, &guest)?;
    play.wait_state("edge-1", "installing|first boot|running", slow, &guest)?;
    Ok(())
}
