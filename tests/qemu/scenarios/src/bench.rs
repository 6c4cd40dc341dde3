//! `bench boot`: how fast and how small, everything measured in one run. Prints JSON for programs and a table for people.
//!
//! Missing a target is a figure, not a failure: this measures, and the machine it runs on may be busy. Times of the
//! installer and of its peer are taken alternately for that reason, and the middle ones are compared.

mod figure;
mod installing;
mod server;
mod watched;

use std::path::Path;

use anyhow::{Context, Result};
use cairn_lab::{Disk, Guest, Workspace};
use serde::Serialize;

use crate::reference::{Image, Pipeline};
use crate::report::say;
use crate::story::Story;
use figure::{Figure, Target, median};
use installing::Installed;
pub(crate) use watched::{Stopped, Watched};

/// Where the JSON goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output<'a> {
    /// Standard output; people read along on standard error.
    Both,
    /// Standard output, and nothing else.
    JsonOnly,
    /// A file; people read along on standard error.
    File(&'a Path),
}

impl<'a> Output<'a> {
    /// What `--json` and `--json=FILE` ask for.
    pub(crate) fn of(file: Option<&'a Path>) -> Self {
        file.map_or(Output::JsonOnly, Output::File)
    }
}

/// All that was measured.
#[derive(Debug, Serialize)]
struct Results {
    figures: Vec<Figure>,
    /// Every installation, in the order they ran.
    installer: Vec<Installed>,
    reference: Vec<Stopped>,
    /// Raw and compressed bytes of the reference's image.
    image_raw: u64,
    image_packed: u64,
}

/// Measures; `rounds` installations of each kind.
pub(crate) fn boot(rounds: usize, output: Output<'_>) -> Result<()> {
    let tell = |line: &str| {
        if output != Output::JsonOnly {
            eprintln!("{line}");
        }
    };
    let lab = Workspace::open()?;
    let story = Story::new("bench", &lab, &format!("run/{}/bench", std::process::id()))?;
    let results = measure(&story, rounds, &tell)?;
    let folder = story.folder().to_owned();
    drop(story);
    // What cannot be removed is, by the next run.
    let _ = std::fs::remove_dir_all(folder.parent().unwrap_or(&folder));
    tell("");
    results.figures.iter().for_each(|figure| tell(&figure.line()));
    let missed = results.figures.iter().filter(|figure| figure.met == Some(false)).count();
    tell(&format!("{missed} targets missed"));
    let text = serde_json::to_string_pretty(&results)?;
    match output {
        Output::File(path) => {
            std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Output::Both | Output::JsonOnly => say(&text),
    }
    Ok(())
}

fn measure(story: &Story, rounds: usize, tell: &dyn Fn(&str)) -> Result<Results> {
    let mut figures = server::measure(story, tell)?;
    let play = installing::open(story)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut peer, mut last): (Option<(Pipeline, Image)>, Option<Guest>) = (None, None);
    for round in 1..=rounds {
        let name = format!("ours-{round}");
        let (installed, machine) = installing::run(&play, &name)?;
        tell(&format!("installer {round}: {:.2} s to reboot", installed.stopped.seconds));
        ours.push(installed);
        last = Some(machine);
        if peer.is_none() {
            let image = Image::of(&disk(story, &name)?, &story.folder().join("served"))?;
            tell(&format!("image: {} raw bytes, {} packed", image.size(), image.packed()));
            peer = Some((Pipeline::prepare(story.net(), &image, &story.folder().join("reference"))?, image));
        }
        let (pipeline, image) = peer.as_ref().context("the first round prepares the peer")?;
        let name = format!("theirs-{round}");
        let machine = play.guest(&name)?;
        let stopped = pipeline.run(story.net(), machine, &disk(story, &name)?, image)?;
        tell(&format!("reference {round}: {:.2} s to reboot", stopped.seconds));
        theirs.push(stopped);
    }
    figures.extend(compared(&ours, &theirs));
    figures.push(installing::agent(&play, &last.context("nothing was installed")?)?);
    let (raw, packed) = peer.map_or((0, 0), |(_, image)| (image.size(), image.packed()));
    Ok(Results { figures, installer: ours, reference: theirs, image_raw: raw, image_packed: packed })
}

fn disk(story: &Story, name: &str) -> Result<Disk> {
    Ok(Disk::open(&story.folder().join(format!("{name}.raw")))?)
}

/// The installer beside its peer.
fn compared(ours: &[Installed], theirs: &[Stopped]) -> Vec<Figure> {
    let (we, they) = (ours.iter().map(|run| run.stopped), theirs.iter().copied());
    let seconds = |run: Stopped| run.seconds;
    let (our_wall, their_wall): (Vec<f64>, Vec<f64>) =
        (we.clone().map(seconds).collect(), they.clone().map(seconds).collect());
    let cpu = |run: Stopped| run.cpu_seconds;
    let (our_cpu, their_cpu): (Vec<f64>, Vec<f64>) = (we.map(cpu).collect(), they.map(cpu).collect());
    let around: Vec<f64> = ours.iter().map(|run| run.around).collect();
    let (ratio, load) = (median(&our_wall) / median(&their_wall), median(&our_cpu) / median(&their_cpu));
    vec![
        Figure::new("installer to reboot", median(&our_wall), "s", Target::None).with_values(our_wall),
        Figure::new("reference pipeline to reboot", median(&their_wall), "s", Target::None)
            .with_values(their_wall),
        Figure::new("installer / reference", ratio, "", Target::AtMost(0.7)),
        Figure::new("installer / reference, processor time", load, "", Target::None),
        Figure::new("outside firmware, kernel and image write", median(&around), "ms", Target::Below(3000.0))
            .with_values(around),
    ]
}
