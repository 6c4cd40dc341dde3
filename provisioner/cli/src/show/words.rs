//! Times, sizes and states in words.

use cairn_contract::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::Look;

/// What a colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Busy,
    Warn,
    Bad,
    Ask,
    Faint,
    Plain,
}

/// Puts values into words, as seen now, here, on this output.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
    pub(crate) look: Look,
}

impl Words {
    pub(crate) fn paint(&self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Busy => "36",
            Tone::Warn => "33",
            Tone::Bad => "31",
            Tone::Ask => "35",
            Tone::Faint => "2",
            Tone::Plain => return text.to_owned(),
        };
        match self.look {
            Look::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
            Look::Plain => text.to_owned(),
        }
    }

    /// A state's word in its colour.
    pub(crate) fn state(&self, word: &str) -> String {
        self.paint(word, tone(word))
    }

    /// How long ago, or in how long.
    pub(crate) fn ago(&self, at: Timestamp) -> String {
        let millis = self.now.0.saturating_sub(at.0);
        match millis {
            -4_999..=4_999 => "just now".to_owned(),
            5_000.. => format!("{} ago", self.duration(millis)),
            _ => format!("in {}", self.duration(millis.saturating_neg())),
        }
    }

    /// How long ago, short, for columns: `5d`, `3h12m`, `45s`.
    pub(crate) fn age(&self, at: Timestamp) -> String {
        let millis = self.now.0.saturating_sub(at.0);
        let s = millis.unsigned_abs() / 1000;
        let two = |a: u64, x: &str, b: u64, y: &str| {
            if b == 0 { format!("{a}{x}") } else { format!("{a}{x}{b}{y}") }
        };
        let text = match s {
            0..120 => format!("{s}s"),
            120..600 => two(s / 60, "m", s % 60, "s"),
            600..10_800 => format!("{}m", s / 60),
            10_800..36_000 => two(s / 3600, "h", s % 3600 / 60, "m"),
            36_000..172_800 => format!("{}h", s / 3600),
            _ => format!("{}d", s / 86_400),
        };
        if millis <= -1000 { format!("in {text}") } else { text }
    }

    /// The age of an RFC 3339 time; "" when it is none.
    pub(crate) fn age_of(&self, text: &str) -> String {
        parse(text).map_or_else(String::new, |at| self.age(at))
    }

    /// Whether an RFC 3339 time is over.
    pub(crate) fn is_past(&self, text: &str) -> bool {
        parse(text).is_some_and(|at| at <= self.now)
    }

    /// A time in an answer: RFC 3339, or milliseconds since 1970.
    pub(crate) fn when(&self, value: Option<&Value>) -> Option<Timestamp> {
        match value? {
            Value::String(text) => parse(text),
            Value::Number(millis) => millis.as_i64().map(Timestamp),
            _ => None,
        }
    }

    /// Local date and time.
    pub(crate) fn stamp(&self, at: Timestamp) -> String {
        self.local(at, "%Y-%m-%d %H:%M:%S")
    }

    /// Local date.
    pub(crate) fn day(&self, at: Timestamp) -> String {
        self.local(at, "%a %Y-%m-%d")
    }

    /// Local time of day.
    pub(crate) fn clock(&self, at: Timestamp) -> String {
        self.local(at, "%H:%M:%S")
    }

    fn local(&self, at: Timestamp, format: &str) -> String {
        match jiff::Timestamp::from_millisecond(at.0) {
            Ok(at) => at.to_zoned(self.zone.clone()).strftime(format).to_string(),
            Err(_) => "?".to_owned(),
        }
    }

    /// Milliseconds, in the two units that matter.
    pub(crate) fn duration(&self, millis: i64) -> String {
        let millis = millis.max(0);
        let s = millis / 1000;
        match s {
            0..10 => format!("{}.{} s", s, millis % 1000 / 100),
            10..90 => format!("{s} s"),
            90..5400 => format!("{} min {} s", s / 60, s % 60),
            5400..172_800 => format!("{} h {} min", s / 3600, s % 3600 / 60),
            _ => format!("{} days", s / 86400),
        }
    }

    /// Bytes, decimal.
    pub(crate) fn bytes(&self, n: u64) -> String {
        let (unit, name) = match n {
            0..1_000 => return format!("{n} B"),
            1_000..1_000_000 => (1_000, "kB"),
            1_000_000..1_000_000_000 => (1_000_000, "MB"),
            1_000_000_000..1_000_000_000_000 => (1_000_000_000, "GB"),
            _ => (1_000_000_000_000, "TB"),
        };
        match n / unit {
            whole @ 100.. => format!("{whole} {name}"),
            whole => format!("{whole}.{} {name}", n % unit / (unit / 10)),
        }
    }

    /// Bytes of memory, binary.
    pub(crate) fn memory(&self, n: u64) -> String {
        match n >> 20 {
            mib @ 0..1024 => format!("{mib} MiB"),
            mib => format!("{}.{} GiB", mib >> 10, ((mib & 1023) * 10) >> 10),
        }
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_millisecond()))
}

/// The colour of a state.
pub(crate) fn tone(word: &str) -> Tone {
    match word {
        "running" | "Ready" => Tone::Good,
        "booting" | "attesting" | "installing" | "first boot" | "retiring" | "wiping" | "Progressing"
        | "Removing" => Tone::Busy,
        "silent" | "Degraded" => Tone::Warn,
        "quarantined" | "failed" | "Failed" => Tone::Bad,
        "pending" | "Paused" => Tone::Ask,
        "retired" | "Removed" => Tone::Faint,
        _ => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        Words { now: Timestamp(1_000_000_000_000), zone: TimeZone::UTC, look: Look::Plain }
    }

    #[test]
    fn times_are_told_in_the_units_that_matter() {
        let ago = |seconds: i64| words().ago(Timestamp(1_000_000_000_000 - seconds * 1000));
        assert_eq!([ago(0), ago(7), ago(75)], ["just now", "7.0 s ago", "75 s ago"]);
        assert_eq!([ago(600), ago(7200), ago(900_000)], ["10 min 0 s ago", "2 h 0 min ago", "10 days ago"]);
        assert_eq!(ago(-60), "in 60 s");
        assert_eq!(words().stamp(Timestamp(0)), "1970-01-01 00:00:00");
        assert_eq!(words().stamp(Timestamp(i64::MAX)), "?");
    }

    #[test]
    fn ages_are_short() {
        let age = |seconds: i64| words().age(Timestamp(1_000_000_000_000 - seconds * 1000));
        assert_eq!([age(0), age(119), age(150), age(180)], ["0s", "119s", "2m30s", "3m"]);
        assert_eq!([age(3600), age(11_520), age(90_000), age(864_000)], ["60m", "3h12m", "25h", "10d"]);
        assert_eq!(age(-60), "in 60s");
        assert_eq!(
            (words().age_of("2001-09-09T01:46:30Z"), words().age_of("soon")),
            ("10s".into(), String::new())
        );
        assert!(words().is_past("2001-09-09T01:46:40Z") && !words().is_past("2001-09-09T01:46:41Z"));
    }

    #[test]
    fn sizes_have_one_digit_that_matters() {
        let w = words();
        assert_eq!(
            [w.bytes(999), w.bytes(1_050_000), w.bytes(512_000_000_000)],
            ["999 B", "1.0 MB", "512 GB"]
        );
        assert_eq!([w.memory(512 << 20), w.memory(17_179_869_184)], ["512 MiB", "16.0 GiB"]);
    }

    #[test]
    fn colour_is_only_where_it_is_wanted() {
        assert_eq!(words().state("failed"), "failed");
        assert_eq!(Words { look: Look::Colour, ..words() }.state("failed"), "\x1b[31mfailed\x1b[0m");
    }
}
