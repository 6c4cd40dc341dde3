//! Says what is being done: a spinner on a terminal, a line per stage elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Runs `work` as a named stage and says how long it took.
pub(crate) fn stage<T, E>(what: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let start = Instant::now();
    let spinner = std::io::stderr().is_terminal().then(|| spinner(what));
    let result = work();
    if let Some(spinner) = spinner {
        spinner.finish_and_clear();
    }
    let end = if result.is_ok() { "" } else { " FAILED" };
    eprintln!("  {:6.1} s  {what}{end}", start.elapsed().as_secs_f64());
    result
}

/// Says that a stage was not needed.
pub(crate) fn cached(what: &str) {
    eprintln!("    cached  {what}");
}

fn spinner(what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("  {elapsed:>6} {spinner} {msg}") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
