//! The provisioner is killed and restarted while a host writes: nothing is lost, the host finishes and runs.

use anyhow::{Result, ensure};
use cairn_lab::Stage;

use crate::midway;
use crate::story::Story;

pub(crate) fn tell(story: &Story) -> Result<()> {
    let (mut play, _machine, _disk, guest) = midway::begin(story)?;
    play.site.kill9();
    story.mark("provisioner killed");
    std::thread::sleep(std::time::Duration::from_secs(3));
    play.site.restart()?;
    story.mark("provisioner serves again");
    play.wait_note("edge-1", ("install.finished", "installed on"), Stage::WRITE, &guest)?;
    play.wait_state("edge-1", "running", Stage::FIRST_BOOT, &guest)?;
    let proofs = play.timeline("edge-1")?.iter().filter(|l| l.text.contains("its installer: ")).count();
    ensure!(proofs == 1, "{proofs} installations were begun");
    Ok(())
}
