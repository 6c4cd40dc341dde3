//! Log lines for a program whose only reader is a serial console: time since boot, text, fields.
//!
//! A [`tracing::Subscriber`] without filters by regular expression and without colours, for programs that count
//! kilobytes. Spans are not shown.

use std::fmt::{Debug, Write as _};
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::clock;

/// Shows `info` and worse of Cairn's own code, and warnings of all else.
#[derive(Debug)]
struct Console;

/// Sends all later log lines of this process to standard error. A second call changes nothing.
pub fn init() {
    // The only failure is that one is set already.
    let _ = tracing::subscriber::set_global_default(Console);
}

impl Subscriber for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let most = if metadata.target().starts_with("cairn") { Level::INFO } else { Level::WARN };
        *metadata.level() <= most
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let millis = clock::since_boot_millis();
        let mark = if *event.metadata().level() <= Level::WARN { "! " } else { "" };
        let text =
            format!("[{:5}.{:03}] cairn: {mark}{}{}\n", millis / 1000, millis % 1000, line.text, line.fields);
        // One write, so that lines of two threads do not mix; a console that is gone is nobody's concern.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    text: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = match field.name() {
            "message" => write!(self.text, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}
