//! The power fails in the middle of writing: the disk does not boot, the next boot starts again and finishes.

use anyhow::{Result, ensure};
use cairn_lab::Stage;

use crate::midway;
use crate::story::Story;

pub(crate) fn tell(story: &Story) -> Result<()> {
    let (play, machine, disk, guest) = midway::begin(story)?;
    guest.power_cut();
    story.mark("power cut");
    ensure!(!midway::has_gpt(&disk)?, "a half-written disk has a partition table");

    let guest = machine.start(story.net())?;
    play.wait_note(
        "edge-1",
        ("install.finished", "installed on"),
        Stage::new("second attempt", 60.0),
        &guest,
    )?;
    ensure!(midway::has_gpt(&disk)?, "no partition table after the installation");
    let proofs = play.timeline("edge-1")?.iter().filter(|l| l.text.contains("its installer: ")).count();
    ensure!(proofs == 2, "{proofs} proofs instead of 2");
    Ok(())
}
