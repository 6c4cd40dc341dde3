//! The installer's part of the benchmark: the Debian image, written by the product as it is.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cairn_lab::{Guest, Running, Site, Stage};
use serde::Serialize;

use super::figure::{Figure, Target, rounded};
use super::watched::{Stopped, Watched, kernel_time};
use crate::built;
use crate::play::Play;
use crate::story::Story;

const WRITING: Stage = Stage::new("image written and reboot", 60.0);
/// The Debian image boots slower than the tiny one, and its first heartbeat is noted at once.
const HEARTBEAT: Stage = Stage::new("the installed system's first heartbeats", 75.0);
/// The agent has settled after so many.
const BEATS: usize = 2;

/// One installation.
#[derive(Debug, Serialize)]
pub(crate) struct Installed {
    #[serde(flatten)]
    pub(crate) stopped: Stopped,
    /// Milliseconds of the guest's clock from first line to reboot without the phase `write`.
    pub(crate) around: f64,
    /// Milliseconds of each phase, as the installer timed them.
    pub(crate) phases: Vec<Phase>,
}

/// A part of the installer's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Phase {
    pub(crate) phase: String,
    pub(crate) millis: u64,
}

/// A site that gives the Debian image to all hosts and notes every heartbeat.
pub(crate) fn open(story: &Story) -> Result<Play<'_>> {
    let mut config = story.site_config()?;
    config.init.extend(["--default-image".into(), "debian".into()]);
    config.env.push(("CAIRN_LOG".into(), "info,cairn_fleet=debug".into()));
    let site = Site::start(story.net(), config, &story.folder().join("site"))?;
    built::add_bundles(&site, &["installer-lab", "os-debian"])?;
    Ok(Play { story, site })
}

/// Installs a new host of this name on an empty disk, up to its reboot. Returns the machine, which is off.
pub(crate) fn run(play: &Play<'_>, name: &str) -> Result<(Installed, Guest)> {
    play.register(name)?;
    let mut machine = play.guest(name)?;
    machine.ends_on_reboot = true;
    let guest = machine.start(play.story.net())?;
    let watched = Watched::from(&guest, r"cairn: Cairn installer \S+ for site")?;
    let stopped = watched.to_reboot(&guest, "installation failed", WRITING)?;
    let phases = phases(&guest);
    let last = guest.serial().matching("reboot: Restarting system").pop();
    let clock = |line| kernel_time(line).context("a serial line without the kernel's time");
    let whole = clock(&last.context("no reboot")?)? - clock(watched.first())?;
    let write = phases.iter().find(|part| part.phase == "write").context("no image was written")?.millis;
    guest.wait_off(Stage::LOCAL)?;
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of minutes")]
    let around = rounded(whole * 1000.0 - write as f64);
    machine.ends_on_reboot = false;
    Ok((Installed { stopped, around, phases }, machine))
}

/// What the installer said of its phases: `cairn: Write took 1874 ms`.
fn phases(guest: &Running) -> Vec<Phase> {
    let lines = guest.serial().matching(r"cairn: \w+ took \d+ ms");
    lines.iter().filter_map(|line| phase(&line.text)).collect()
}

fn phase(text: &str) -> Option<Phase> {
    let (name, rest) = text.split_once("cairn: ")?.1.split_once(" took ")?;
    Some(Phase { phase: name.to_lowercase(), millis: rest.split(' ').next()?.parse().ok()? })
}

/// Memory of the agent in the installed system, from its heartbeats.
pub(crate) fn agent(play: &Play<'_>, machine: &Guest) -> Result<Figure> {
    let guest = machine.start(play.story.net())?;
    let since = Instant::now();
    loop {
        let beats: Vec<u64> =
            play.site.log().matching("heartbeat").iter().filter_map(|line| resident(&line.text)).collect();
        if beats.len() >= BEATS {
            let most = beats.iter().copied().max().unwrap_or_default();
            return Ok(Figure::new("agent resident", mebibytes(most), "MiB", Target::Below(15.0)));
        }
        if since.elapsed() > HEARTBEAT.deadline() {
            let said: String = guest.serial().tail(15).iter().map(|line| format!("\n  {line}")).collect();
            let (name, count) = (&machine.name, beats.len());
            bail!("{name} sent {count} heartbeats in {:?}; the last it said:{said}", since.elapsed());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Bytes, from `... heartbeat host.id=... uptime=12 rss=8388608`.
fn resident(line: &str) -> Option<u64> {
    line.split("rss=").nth(1)?.split_whitespace().next()?.parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a process")]
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_installer_and_server_are_understood() {
        assert_eq!(
            phase("[    3.150] cairn: Devices took 380 ms"),
            Some(Phase { phase: "devices".into(), millis: 380 })
        );
        assert_eq!(phase("[    3.1] cairn: connected"), None);
        assert_eq!(resident("DEBUG heartbeat host.id=5 uptime=12 rss=8388608"), Some(8_388_608));
    }
}
