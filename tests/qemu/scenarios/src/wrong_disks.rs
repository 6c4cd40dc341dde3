//! No disk that fits the selector, and one that is too small: a clear failure, no loop, and the other disk untouched. Told
//! with the metal installer, because the lab's knows no USB.

use anyhow::{Result, ensure};
use cairn_lab::{Bus, Disk, NetBoot, Stage};

use crate::play::Play;
use crate::story::Story;

const SLOW: Stage = Stage::new("metal installer", 60.0);

pub(crate) fn tell(story: &Story) -> Result<()> {
    let play = Play::with(story, &["installer-metal", "os-tiny"])?;
    let disk = |name: &str, size| Disk::create(&story.folder().join(name), size);
    for (name, size, reason) in [("small", 64 << 20, "the image needs"), ("stick", 0, "no disk matches")] {
        let stick = disk(&format!("{name}-stick.raw"), 4 << 30)?.bus(Bus::UsbStick).data_only();
        let mut machine = story.guest(name).netboot(NetBoot::Http).tpm(story.tpm(name)?).disk(stick.clone());
        if size > 0 {
            machine = machine.disk(disk(&format!("{name}.raw"), size)?);
        }
        play.register(name)?;
        let guest = machine.start(story.net())?;
        play.wait_note(name, ("install.failed", reason), SLOW, &guest)?;
        let host = play.host(name)?;
        ensure!(host["state"] == "failed", "{name} is {}", host["state"]);
        ensure!(stick.allocated()? == 0, "the removable disk was written");
        guest.power_cut();
    }
    Ok(())
}
