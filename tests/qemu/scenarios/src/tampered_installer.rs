//! Somebody altered the installer on its way: the machine boots it, and the measurements tell.

use anyhow::{Context, Result, ensure};
use cairn_lab::Stage;

use crate::play::Play;
use crate::story::Story;

pub(crate) fn tell(story: &Story) -> Result<()> {
    let play = Play::open(story)?;
    play.register("edge-1")?;
    let installers = play.site.json(&["installer", "ls"])?;
    let digest = first(&installers)?["sha256"].as_str().context("an installer without a digest")?.to_owned();
    let blob = play.site.folder().join("blobs/sha256").join(&digest[..2]).join(&digest);
    let mut uki = std::fs::read(&blob)?;
    let at = find(&uki, b"no_timer_check").context("no command line in the UKI")?;
    uki[at..at + 14].copy_from_slice(b"evil_is_here=1");
    std::fs::write(&blob, uki)?;
    story.mark("the installer's command line is altered");

    let guest = play.guest("edge-1")?.start(story.net())?;
    let note = play.wait_note("edge-1", ("attest.refused", "pcr 4"), Stage::INSTALLER, &guest)?;
    ensure!(
        note.text.contains("event") && note.text.contains("expected"),
        "it does not name the event: {}",
        note.text
    );
    ensure!(play.state("edge-1")? == "quarantined", "state: {}", play.state("edge-1")?);
    Ok(())
}

pub(crate) fn first(list: &serde_json::Value) -> Result<&serde_json::Value> {
    let items = list.get("items").unwrap_or(list);
    items.get(0).context("an empty list")
}

fn find(within: &[u8], what: &[u8]) -> Option<usize> {
    within.windows(what.len()).position(|w| w == what)
}
