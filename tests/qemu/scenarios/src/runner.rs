//! Runs stories side by side: a few threads take them from one list, each story waits for its guests' slots, and what a
//! failed one leaves behind is kept.

use std::any::Any;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use cairn_lab::Workspace;

use crate::report::{self, Mark, Outcome};
use crate::slots::Slots;
use crate::stories::Entry;
use crate::story::Story;

/// Whose folders stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Those of failed stories.
    Failed,
    /// All.
    All,
}

/// How to run.
#[derive(Debug)]
pub(crate) struct Options {
    /// Stories at once.
    pub(crate) jobs: usize,
    /// Guests at once.
    pub(crate) guests: usize,
    /// What is kept.
    pub(crate) keep: Keep,
}

/// Runs `stories`, and returns how each ended, in their order.
pub(crate) fn run(stories: &[&'static Entry], options: &Options) -> Result<Vec<Outcome>> {
    let lab = Workspace::open()?;
    sweep(&lab)?;
    let (slots, next) = (Slots::new(options.guests), AtomicUsize::new(0));
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, stories.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(entry) = stories.get(index) else { return };
                    let taken = slots.take(entry.guests);
                    let outcome = tell(entry, &lab, options.keep);
                    drop(taken);
                    outcomes.lock().expect("nothing panics under this lock").push((index, outcome));
                }
            });
        }
    });
    // Empty, unless a folder could not be moved.
    let _ = fs::remove_dir(lab.root().join("run").join(std::process::id().to_string()));
    let mut outcomes = outcomes.into_inner().expect("nothing panics under this lock");
    outcomes.sort_by_key(|(index, _)| *index);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

fn tell(entry: &'static Entry, lab: &Workspace, keep: Keep) -> Outcome {
    report::say(&format!("{:<28} {:7.1}s  begins", entry.name, 0.0));
    let since = Instant::now();
    let (marks, result) = perform(entry, lab);
    let seconds = since.elapsed().as_secs_f64();
    let verdict = if result.is_ok() { "came true" } else { "FAILED" };
    report::say(&format!("{:<28} {seconds:7.1}s  {verdict}", entry.name));
    let (error, folder) = match (result, keep) {
        (Ok(()), Keep::Failed) => {
            // What cannot be removed is, by the next run.
            let _ = fs::remove_dir_all(lab.root().join(place(entry)));
            (None, None)
        }
        (Ok(()), Keep::All) => (None, set_aside(entry, lab, "kept").ok()),
        (Err(error), _) => (Some(format!("{error:#}")), set_aside(entry, lab, "failed").ok()),
    };
    Outcome { name: entry.name, seconds, marks, error, folder }
}

/// Tells one story; everything of it is off when this returns.
fn perform(entry: &'static Entry, lab: &Workspace) -> (Vec<Mark>, Result<()>) {
    let story = match Story::new(entry.name, lab, &place(entry)) {
        Ok(story) => story,
        Err(error) => return (Vec::new(), Err(error.context("the stage could not be set"))),
    };
    let told = catch_unwind(AssertUnwindSafe(|| (entry.tell)(&story)));
    let result = told.unwrap_or_else(|panic| Err(anyhow!("it panicked: {}", said(panic.as_ref()))));
    (story.marks(), result)
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|&text| text.to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".into())
}

/// Where a story runs, below the lab's folder: two runners may tell the same one at once.
fn place(entry: &Entry) -> String {
    format!("run/{}/{}", std::process::id(), entry.name)
}

/// Moves the story's folder to `.lab/SHELF/NAME`.
fn set_aside(entry: &Entry, lab: &Workspace, shelf: &str) -> Result<String> {
    let kept = lab.fresh_folder(&format!("{shelf}/{}", entry.name))?;
    let from = lab.root().join(place(entry));
    fs::rename(&from, &kept).with_context(|| format!("cannot keep {}", from.display()))?;
    Ok(kept.display().to_string())
}

/// Removes what runners that were killed left behind.
fn sweep(lab: &Workspace) -> Result<()> {
    for entry in fs::read_dir(lab.folder("run")?)?.flatten() {
        let runner = entry.file_name().to_string_lossy().into_owned();
        if runner.parse::<u32>().is_ok() && !Path::new("/proc").join(&runner).exists() {
            // Another runner may be at the same.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}
