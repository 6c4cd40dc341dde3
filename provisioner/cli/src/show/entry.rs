//! Lines of a timeline, one by one: the same for a page and for a live stream.

use cairn_contract::Timestamp;
use cairn_domain::{Level, fact::plain, timeline::Entry};

use super::words::{Tone, Words};

/// Remembers the line before, to tell days and gaps.
#[derive(Debug, Default)]
pub(crate) struct Printer {
    day: String,
    before: Option<Timestamp>,
}

impl Printer {
    /// One or two lines of text.
    pub(crate) fn print(&mut self, entry: &Entry, words: &Words) -> String {
        self.print_of(entry, "", words)
    }

    /// As [`Printer::print`], with whom it is about when that is not "".
    pub(crate) fn print_of(&mut self, entry: &Entry, who: &str, words: &Words) -> String {
        let mut out = String::new();
        let day = words.day(entry.at);
        if day != self.day {
            out = format!("{}\n", words.paint(&day, Tone::Faint));
            self.day = day;
        }
        let gap = self.before.map_or(0, |before| entry.at.0.saturating_sub(before.0));
        self.before = Some(entry.at);
        let gap = if gap >= 100 { format!("+{}", words.duration(gap)) } else { String::new() };
        let (mark, tone) = match entry.note.level {
            Level::Info => (" ", Tone::Plain),
            Level::Good => ("+", Tone::Good),
            Level::Warn => ("!", Tone::Warn),
            Level::Bad => ("x", Tone::Bad),
        };
        out += &format!("{}  {}  ", words.clock(entry.at), words.paint(&format!("{gap:>12}"), Tone::Faint));
        if !who.is_empty() {
            out += &format!("{who:<28} ");
        }
        out += &format!("{} {}", words.paint(mark, tone), words.paint(&plain(&entry.note.text, 2000), tone));
        if let Some(state) = &entry.state {
            out += &format!("  -> {}", words.state(state));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use cairn_domain::Note;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::show::Look;

    #[test]
    fn a_timeline_tells_days_gaps_and_states() {
        let words = Words { now: Timestamp(0), zone: TimeZone::UTC, look: Look::Plain };
        let entry = |at, level, text: &str, state: Option<&str>| Entry {
            seq: 1,
            at: Timestamp(at),
            note: Note::new(level, "x", text),
            state: state.map(str::to_owned),
        };
        let entries = [
            entry(0, Level::Info, "registered", Some("registered")),
            entry(61_250, Level::Good, "proven", None),
            entry(61_260, Level::Bad, "no disk matches", Some("failed")),
            entry(86_400_000, Level::Info, "next day", None),
        ];
        let mut printer = Printer::default();
        let text: Vec<String> = entries.iter().map(|e| printer.print(e, &words)).collect();
        let want = "\
Thu 1970-01-01
00:00:00                  registered  -> registered
00:01:01         +61 s  + proven
00:01:01                x no disk matches  -> failed
Fri 1970-01-02
00:00:00  +23 h 58 min    next day";
        assert_eq!(text.join("\n"), want);
    }
}
