//! What stories about an interrupted installation share: a host that is in the middle of writing.

use anyhow::Result;
use cairn_lab::{Disk, Guest, Running, Stage};

use crate::play::Play;
use crate::story::Story;
use crate::{built, padded};

/// A block in the middle of root A's noise, behind 1 MiB of tables and the ESP of 96 MiB: written when half of it is.
const HALF_WAY: u64 = (1 + 96 + 80) << 20;

/// A site with an image that takes its time, a registered host, and the host in the middle of writing it.
pub(crate) fn begin(story: &Story) -> Result<(Play<'_>, Guest, Disk, Running)> {
    let play = Play::bare(story, "")?;
    built::add_bundles(&play.site, &["installer-lab"])?;
    let bundle = padded::bundle(story.folder())?;
    play.site.call(&["image", "add", &bundle.to_string_lossy()])?;
    play.register("edge-1")?;
    let machine = play.guest("edge-1")?;
    let disk = Disk::open(&story.folder().join("edge-1.raw"))?;
    let guest = machine.start(story.net())?;
    play.wait_state("edge-1", "installing", Stage::INSTALLER, &guest)?;
    play.wait(Stage::WRITE, &guest, "edge-1", || Ok(is_written(&disk)?.then_some(())))?;
    story.mark("half of the image is on the disk");
    Ok((play, machine, disk, guest))
}

fn is_written(disk: &Disk) -> Result<bool> {
    Ok(disk.read(HALF_WAY..HALF_WAY + 4096)?.iter().any(|byte| *byte != 0))
}

/// Is there a partition table?
pub(crate) fn has_gpt(disk: &Disk) -> Result<bool> {
    Ok(disk.read(512..520)? == b"EFI PART")
}
