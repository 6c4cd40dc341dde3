//! What the runner prints, and the record it writes. Nothing else in this crate writes to the terminal.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A stage of a story that is over.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Mark {
    pub(crate) stage: String,
    /// Seconds since the story began.
    pub(crate) at: f64,
}

/// How one story ended.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) seconds: f64,
    pub(crate) marks: Vec<Mark>,
    /// The chain of causes, if it failed.
    pub(crate) error: Option<String>,
    /// Where its folder is, if it was kept.
    pub(crate) folder: Option<String>,
}

/// One line to the terminal, whole, from any thread.
pub(crate) fn say(line: &str) {
    // A closed terminal must not fail a story.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Prints failures in full, then a table; true when all came true.
pub(crate) fn summary(outcomes: &[Outcome]) -> bool {
    for outcome in outcomes {
        if let Some(error) = &outcome.error {
            say(&format!("\n--- {} failed: {error}", outcome.name));
            if let Some(folder) = &outcome.folder {
                logs(Path::new(folder)).iter().for_each(|path| quote(path));
                say(&format!("    everything is kept in {folder}"));
            }
        }
    }
    say("");
    outcomes.iter().for_each(|outcome| say(&row(outcome)));
    let failed = outcomes.iter().filter(|outcome| outcome.error.is_some()).count();
    say(&format!("{} of {} stories came true", outcomes.len() - failed, outcomes.len()));
    failed == 0
}

/// The logs in a story's folder and in the folders of its guests and site.
fn logs(folder: &Path) -> Vec<PathBuf> {
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = entries(folder)
        .flat_map(|path| if path.is_dir() { entries(&path).collect() } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    found.sort();
    found
}

/// Prints the end of a log.
fn quote(path: &Path) {
    const LINES: usize = 30;
    let text = String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    say(&format!("    the end of {}:", path.display()));
    lines.iter().skip(lines.len().saturating_sub(LINES)).for_each(|line| say(&format!("      {line}")));
}

fn row(outcome: &Outcome) -> String {
    let verdict = if outcome.error.is_some() { "FAILED" } else { "ok" };
    format!("{verdict:<7} {:7.1}s  {}", outcome.seconds, outcome.name)
}
