//! The provisioner drops off the network in the middle of the image: the download goes on where it was.

use std::time::Duration;

use anyhow::{Result, ensure};
use cairn_lab::Stage;

use crate::midway;
use crate::story::Story;

pub(crate) fn tell(story: &Story) -> Result<()> {
    let (play, _machine, disk, guest) = midway::begin(story)?;
    story.net().sever_server()?;
    std::thread::sleep(Duration::from_secs(25));
    story.mark("25 s without a server");
    ensure!(!midway::has_gpt(&disk)?, "the disk was finished without a server");
    story.net().mend_server()?;
    let done = play.wait_note("edge-1", ("install.finished", "installed on"), Stage::WRITE, &guest)?;
    ensure!(done.text.contains("resumed"), "it was not resumed: {}", done.text);
    let proofs = play.timeline("edge-1")?.iter().filter(|l| l.text.contains("its installer: ")).count();
    ensure!(proofs == 1, "it started again instead of resuming: {proofs} proofs");
    Ok(())
}
