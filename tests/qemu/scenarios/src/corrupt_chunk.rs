//! A frame of the stored image rots: the installer refuses it before it reaches the disk, and nothing boots from there.

use anyhow::{Context, Result, ensure};
use cairn_lab::{Disk, Stage};

use crate::midway::has_gpt;
use crate::play::Play;
use crate::story::Story;
use crate::tampered_installer::first;

pub(crate) fn tell(story: &Story) -> Result<()> {
    let play = Play::open(story)?;
    play.register("edge-1")?;
    let images = play.site.json(&["image", "ls"])?;
    let digest = first(&images)?["sha256"].as_str().context("an image without a digest")?.to_owned();
    let blob = play.site.folder().join("blobs/sha256").join(&digest[..2]).join(&digest);
    let sound = std::fs::read(&blob)?;
    let mut rotten = sound.clone();
    let middle = rotten.len() / 2;
    rotten[middle] ^= 1;
    std::fs::write(&blob, &rotten)?;

    let machine = play.guest("edge-1")?;
    let disk = Disk::open(&story.folder().join("edge-1.raw"))?;
    let guest = machine.start(story.net())?;
    let note = play.wait_note("edge-1", ("install.failed", "frame"), Stage::INSTALLER, &guest)?;
    story.mark(note.text);
    ensure!(!has_gpt(&disk)?, "the disk got a partition table");
    std::fs::write(&blob, &sound)?;
    story.mark("the blob is mended; the next attempt finishes");
    play.wait_note(
        "edge-1",
        ("install.finished", "installed on"),
        Stage::new("second attempt", 60.0),
        &guest,
    )?;
    Ok(())
}
