//! The firmware of a bare machine powers on and asks for an address. Needs no provisioner: it proves the rig, and that
//! each client presents itself as netboot's answers expect.

use anyhow::{Result, ensure};
use cairn_lab::{Firmware, Guest, NetBoot, Stage};

use crate::knock::Ear;
use crate::story::Story;

/// Tells it.
pub(crate) fn tell(story: &Story) -> Result<()> {
    let ear = Ear::open(story.net())?;
    let bios = story.guest("bios").firmware(Firmware::Bios).netboot(NetBoot::Pxe);
    knock(story, &ear, &bios, ("PXEClient:Arch:00000:UNDI:002001", 0))?;
    let pxe = story.guest("pxe").netboot(NetBoot::Pxe);
    knock(story, &ear, &pxe, ("PXEClient:Arch:00007:UNDI:003000", 7))?;
    let http = story.guest("http").netboot(NetBoot::Http);
    knock(story, &ear, &http, ("HTTPClient:Arch:00016:UNDI:003000", 16))
}

/// Powers `guest` on and looks at its DISCOVER.
fn knock(story: &Story, ear: &Ear, guest: &Guest, (class, arch): (&str, u16)) -> Result<()> {
    let running = guest.start(story.net())?;
    let knock = ear.hear(guest, Stage::DISCOVER.deadline())?;
    ensure!(knock.class() == class, "{}: option 60 is {:?}", guest.name, knock.class());
    ensure!(knock.arch() == Some(arch), "{}: option 93 is {:?}", guest.name, knock.arch());
    let uuid = [&[0][..], &guest.uuid.to_bytes_le()].concat();
    ensure!(knock.uuid() == Some(&uuid), "{}: option 97 is {:?}", guest.name, knock.uuid());
    story.mark(format!("{} sent DISCOVER after {:.1} s", guest.name, running.uptime().as_secs_f64()));
    Ok(())
}
