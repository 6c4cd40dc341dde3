//! What stories about an interrupted installation share: a host that is in the middle of writing.

use anyhow::Result;
use cairn_lab::{Disk, Guest, Running, Stage};

use crate::play::Play;
use crate::story::Story;
use crate::{built, padded};

/// Written before the story interrupts.
const ENOUGH: u64 = 40 << 20;

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
    wait_written(&play, &disk, ENOUGH, &guest)?;
    Ok((play, machine, disk, guest))
}

/// Waits until so many bytes are on the disk.
pub(crate) fn wait_written(play: &Play<'_>, disk: &Disk, bytes: u64, guest: &Running) -> Result<()> {
    play.wait(Stage::WRITE, guest, "edge-1", || Ok((disk.allocated()? >= bytes).then_some(())))?;
    play.story.mark(format!("{} MiB are on the disk", disk.allocated()? >> 20));
    Ok(())
}

/// Is there a partition table?
pub(crate) fn has_gpt(disk: &Disk) -> Result<bool> {
    Ok(disk.read(512..520)? == b"EFI PART")
}
