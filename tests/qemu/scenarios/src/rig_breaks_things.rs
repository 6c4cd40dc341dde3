//! The rig's faults do what they say, without any product: a silent cable, bad weather, a cut of power, a killed server.
//! When another story fails, this one tells whether to look at the rig.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cairn_lab::vars::GLOBAL;
use cairn_lab::{Cable, Disk, Guest, NetBoot, Ready, Running, Site, SiteConfig, Stage, Weather};

use crate::knock::Ear;
use crate::story::Story;

/// iPXE and EDK2 repeat a DISCOVER after 1 to 8 s.
const SILENCE: Duration = Duration::from_secs(5);

/// Tells it.
pub(crate) fn tell(story: &Story) -> Result<()> {
    let disk = Disk::create(&story.folder().join("disk.raw"), 1 << 30)?;
    let tpm = story.tpm("box")?;
    let guest = story.guest("box").netboot(NetBoot::Pxe).tpm(tpm).disk(disk).weather(Weather::FAIR);
    let ear = Ear::open(story.net())?;
    let running = guest.start(story.net())?;
    ear.hear(&guest, Stage::DISCOVER.deadline()).context("after power-on")?;
    story.mark("knocks");
    cable(story, &running, &guest, &ear)?;
    cut(story, running, &guest, &ear)?;
    server(story)
}

fn cable(story: &Story, running: &Running, guest: &Guest, ear: &Ear) -> Result<()> {
    running.reset()?;
    running.cable(Cable::Silent)?;
    ear.forget()?;
    ensure!(ear.hear(guest, SILENCE).is_err(), "a silent cable carries frames");
    running.cable(Cable::Plugged)?;
    ear.hear(guest, Stage::DISCOVER.deadline()).context("after the cable came back")?;
    story.mark("is not heard through a silent cable, and is afterwards");
    running.weather(Weather { lost: 1000, ..Weather::FAIR });
    running.reset()?;
    ear.forget()?;
    let since = Instant::now();
    while running.tally().lost == 0 {
        ensure!(ear.hear(guest, Duration::from_millis(100)).is_err(), "all frames are lost, and one came");
        ensure!(since.elapsed() < Stage::DISCOVER.deadline(), "no frame was lost");
    }
    running.weather(Weather { doubled: 1000, ..Weather::FAIR });
    ear.hear(guest, Stage::DISCOVER.deadline()).context("after the storm")?;
    ear.hear(guest, Duration::from_secs(1)).context("the second copy of a doubled frame")?;
    story.mark(format!("{:?}", running.tally()));
    ensure!(running.status()? == "running");
    Ok(())
}

fn cut(story: &Story, running: Running, guest: &Guest, ear: &Ear) -> Result<()> {
    let process = format!("/proc/{}", running.pid());
    running.power_cut();
    ensure!(!Path::new(&process).exists(), "QEMU is still there");
    let vars = guest.vars()?;
    ensure!(vars.get(GLOBAL, "BootOrder").is_some(), "the firmware's variables are not kept");
    ear.forget()?;
    let again = guest.start(story.net())?;
    ear.hear(guest, Stage::DISCOVER.deadline()).context("after the cut")?;
    again.wait_for("Start PXE over IPv4", Stage::FIRMWARE)?;
    let disk = guest.disks.first().context("it has a disk")?;
    ensure!(disk.allocated()? == 0, "the firmware wrote to the disk");
    story.mark("starts again after a cut with the same TPM, disk and variables");
    Ok(())
}

/// Any server will do here: the rig must start it, see that it serves, lose it and get it back.
fn server(story: &Story) -> Result<()> {
    let mut config = SiteConfig::new(Path::new("busybox"), &[]);
    config.init = vec!["true".into()];
    config.serve = ["httpd", "-f", "-v", "-p", "10.77.0.1:80"].map(str::to_owned).to_vec();
    config.call = vec!["echo".into()];
    config.ready = Ready::Port(([10, 77, 0, 1], 80).into());
    let mut site = Site::start(story.net(), config, &story.folder().join("site"))?;
    let (first, connect) = (site.pid(), || std::net::TcpStream::connect(("10.77.0.1", 80)).is_ok());
    site.kill9();
    let since = Instant::now();
    // busybox answers each connection in a child, which lets go of the port a little later.
    while story.net().inside(connect)? {
        ensure!(since.elapsed() < Stage::LOCAL.deadline(), "a killed server still listens");
    }
    site.restart()?;
    ensure!(site.pid() != first && story.net().inside(connect)?, "the server is not back");
    ensure!(site.call(&["hello"])? == "hello\n");
    story.mark("a server is killed and comes back");
    Ok(())
}
