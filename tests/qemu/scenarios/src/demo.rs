//! `demo`: the product's main job for a newcomer. A network of its own, a real provisioner, one virtual machine with a TPM
//! and an empty disk; its timeline as it happens, then how long each phase took and where the console is.
//!
//! Not a story: it promises nothing but what it shows, and its voice is meant for people.

mod door;
mod record;
mod voice;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cairn_lab::{Running, Stage, Workspace};

use crate::built;
use crate::play::Play;
use crate::story::Story;
use record::{Entry, Record};
use voice::Voice;

/// The host's name; its serial number follows from it.
const HOST: &str = "lab-1";
/// The tree that it lies in, its policies, and the host itself.
const EXAMPLES: &str = "examples/demo";
const BUNDLES: &[&str] = &["installer-lab", "os-tiny"];
const POLL: Duration = Duration::from_millis(250);
/// Power-on to running. A quiet machine needs about 60 s.
const WHOLE: Stage = Stage::new("running", 75.0);

/// What happens when the host runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// The lab ends.
    End,
    /// The lab stays until Ctrl-C, with its console on a port of this machine.
    Stay,
}

/// Shows it; true when the host is running. `json` gets the timeline, the phases and the figures.
pub(crate) fn show(json: Option<&Path>, afterwards: Afterwards) -> Result<bool> {
    let lab = Workspace::open()?;
    let voice = Voice::new();
    voice.heading("Cairn takes a bare virtual machine from power-on to a running, proven host.");
    let story = Story::new("demo", &lab, &format!("run/{}/demo", std::process::id()))?;
    let (record, guest, play) = perform(&story, &voice)?;
    if let Some(path) = json {
        let text = serde_json::to_string_pretty(&record)?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let runs = record.state == "running";
    if runs {
        voice.ending(&record);
    } else {
        voice.failure(&record, &guest.serial().tail(15));
    }
    match afterwards {
        Afterwards::Stay => stay(&play, &voice)?,
        Afterwards::End if runs => voice.console_gone(),
        Afterwards::End => {}
    }
    drop((guest, play));
    let folder = story.folder().to_owned();
    drop(story);
    if runs || afterwards == Afterwards::Stay {
        // What cannot be removed is, by the next run.
        let _ = std::fs::remove_dir_all(folder.parent().unwrap_or(&folder));
    } else {
        let kept = lab.fresh_folder("failed/demo")?;
        std::fs::rename(&folder, &kept).with_context(|| format!("cannot keep {}", folder.display()))?;
        voice.note(&format!("Its serial line and the provisioner's log are in {}", kept.display()));
    }
    Ok(runs)
}

/// From nothing to the host's last state: running, or why not.
fn perform<'s>(story: &'s Story, voice: &Voice) -> Result<(Record, Running, Play<'s>)> {
    voice.step(&format!("Network {}, nothing leaves this machine", story.net().name()));
    let play = Play::bare(story, "")?;
    voice.step("Provisioner ready at 10.77.0.1: DHCP, TFTP, HTTP, and one TLS port");
    BUNDLES.iter().try_for_each(|name| built::bundle(name).map(drop))?;
    built::add_bundles(&play.site, BUNDLES)?;
    voice.step("Bundles added: an installer, signed by this site, and a small OS image");
    let machine = play.guest(HOST)?;
    let examples = built::root()?.join(EXAMPLES);
    play.site.call(&["apply", "-f", &examples.to_string_lossy()])?;
    voice.step(&format!(
        "Described by {EXAMPLES}: organisation, project, regions, site, policies, and the host by its serial number"
    ));
    let power_on = play.site.json(&["status"])?["now"].as_i64().context("a status without a time")?;
    let guest = machine.start(story.net())?;
    voice.step(&format!(
        "Power on: {HOST}, UEFI, TPM 2.0, {} MiB of memory, an empty disk. Seconds since then, and what happens:\n",
        machine.memory
    ));
    let record = follow(&play, &guest, voice, power_on)?;
    Ok((record, guest, play))
}

/// Tells each line of the timeline as it comes, until the host runs, waits for a person, or takes too long.
fn follow(play: &Play<'_>, guest: &Running, voice: &Voice, power_on: i64) -> Result<Record> {
    let since = Instant::now();
    let mut told = HashSet::new();
    loop {
        // The state first: its line is then in the timeline already.
        let host = play.host(HOST)?;
        let list = play.site.json(&["host", "timeline", HOST])?;
        let entries: Vec<Entry> = serde_json::from_value(list["items"].clone())
            .context("the timeline is not what the demo understands")?;
        let fresh = entries.iter().filter(|entry| told.insert(entry.seq));
        fresh.for_each(|entry| voice.entry(entry, power_on));
        let state = host["state"].as_str().unwrap_or_default();
        if matches!(state, "running" | "failed" | "quarantined") {
            return Ok(Record::new(&host, entries, power_on));
        }
        if guest.serial().has_ended() || since.elapsed() > WHOLE.deadline() {
            return Ok(Record::new(&host, entries, power_on));
        }
        std::thread::sleep(POLL);
    }
}

/// Keeps everything up until Ctrl-C.
fn stay(play: &Play<'_>, voice: &Voice) -> Result<()> {
    let door = door::Door::open(play.story.net())?;
    let cairn: PathBuf = built::cairn()?;
    let (cairn, data) = (cairn.display(), play.site.folder().display());
    voice.heading("The lab stays up until Ctrl-C.");
    voice.note(&format!("Console    https://{}/", door.address()));
    voice.note("           (the browser warns: its certificate is for 10.77.0.1, by the demo's own CA)");
    voice.note(&format!("Log in     {cairn} --data {data} console --token"));
    voice
        .note(&format!("Commands   ip netns exec {} {cairn} --data {data} host ls", play.story.net().name()));
    door.serve_until_interrupted()
}
