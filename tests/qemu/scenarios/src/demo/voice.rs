//! How the demo speaks: plain lines, with colours only on a terminal.

use std::io::IsTerminal;

use super::record::{Entry, Record};
use crate::report::say;

/// The terminal, or a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voice {
    paint: Paint,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paint {
    Colour,
    Plain,
}

impl Voice {
    /// For this process's standard output; `NO_COLOR` is heeded.
    pub(crate) fn new() -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { paint: if colour { Paint::Colour } else { Paint::Plain } }
    }

    /// A line of its own.
    pub(crate) fn heading(self, text: &str) {
        say(&format!("\n{}\n", self.painted(text, "1")));
    }

    /// Something is ready.
    pub(crate) fn step(self, text: &str) {
        say(&format!("  {} {text}", self.painted("*", "32")));
    }

    /// Something to know.
    pub(crate) fn note(self, text: &str) {
        say(&format!("  {text}"));
    }

    /// A line of the timeline.
    pub(crate) fn entry(self, entry: &Entry, power_on: i64) {
        let (mark, colour) = match entry.level.as_str() {
            "good" => ("+", "32"),
            "warn" => ("!", "33"),
            "bad" => ("x", "31"),
            _ => (" ", ""),
        };
        let at = match entry.seconds(power_on) {
            before if before < 0.0 => "before".to_owned(),
            at => format!("{at:.1}"),
        };
        // The provisioner keeps control characters out of its timeline.
        let line = format!("{mark} {}", entry.text);
        let turn = entry.state.as_ref().map(|state| format!("  -> {state}")).unwrap_or_default();
        say(&format!(
            "{} {}{}",
            self.painted(&format!("{at:>8}"), "2"),
            self.painted(&line, colour),
            self.painted(&turn, "1")
        ));
    }

    /// It runs: how long each phase took.
    pub(crate) fn ending(self, record: &Record) {
        self.heading(&format!("{} is running.", record.host));
        for phase in &record.phases {
            say(&format!("  {:<54} {:6.1} s", phase.what, phase.seconds));
        }
        let whole = format!("{:<54} {:6.1} s", "power-on to running", record.seconds);
        say(&format!("  {}", self.painted(&whole, "1")));
        if let Some(parts) = &record.installer {
            say(&format!("\n  The installer's parts: {parts}"));
        }
    }

    /// It does not run: why, and what to try.
    pub(crate) fn failure(self, record: &Record, serial: &[cairn_lab::Line]) {
        self.heading(&format!("{} is {}, not running.", record.host, record.state));
        say(&format!("  Why:   {}", record.why.as_deref().unwrap_or("the provisioner does not say")));
        say(&format!("  Next:  {}", record.next.as_deref().unwrap_or("see its timeline above")));
        say("\n  The last it said on its serial line:");
        serial.iter().for_each(|line| say(&format!("    {line}")));
    }

    /// Where the console was.
    pub(crate) fn console_gone(self) {
        say("\n  Console: https://10.77.0.1/ inside the lab's network, which ends now.");
        say(
            "  To look at it: `cargo xtask demo --stay` keeps the lab up and opens it on a port of this machine.",
        );
    }

    fn painted(self, text: &str, colour: &str) -> String {
        match self.paint {
            Paint::Colour if !colour.is_empty() => format!("\x1b[{colour}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}
