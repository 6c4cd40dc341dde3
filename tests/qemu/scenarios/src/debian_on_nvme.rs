//! The product as it ships: the metal installer writes the Debian image to an NVMe disk, and systemd starts the agent.

use anyhow::{Result, ensure};
use cairn_lab::{Bus, Disk, NetBoot, Stage};

use crate::play::Play;
use crate::story::Story;

pub(crate) fn tell(story: &Story) -> Result<()> {
    let play = Play::with(story, &["installer-metal", "os-debian"])?;
    play.site.call(&["host", "register", "edge-1", "--serial", "SN-edge-1", "--image", "debian"])?;
    let disk = Disk::create(&story.folder().join("edge-1.raw"), 4 << 30)?.bus(Bus::Nvme);
    let machine = story.guest("edge-1").netboot(NetBoot::Http).tpm(story.tpm("edge-1")?).disk(disk);
    let guest = machine.start(story.net())?;
    let slow = Stage::new("metal installer", 60.0);
    play.wait_state("edge-1", "installing|first boot|running", slow, &guest)?;
    let done = play.wait_note("edge-1", ("install.finished", "nvme0n1"), slow, &guest)?;
    story.mark(done.text);
    play.wait_state("edge-1", "running", Stage::new("Debian's first boot", 90.0), &guest)?;
    let host = play.host("edge-1")?;
    ensure!(host["installed"]["image"] == "debian", "installed: {}", host["installed"]);
    Ok(())
}
