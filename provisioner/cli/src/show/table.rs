//! Lists as tables: no frames, one line for each item.

use cairn_domain::{fact::plain, model::Kind};
use comfy_table::{Color, ContentArrangement, Table};
use serde_json::Value;

use super::{
    Look,
    columns::{self, Cell, Extent},
    words::{Tone, Words},
};
use crate::target::text;

/// Columns below which breaking lines makes them worse.
const NARROW: u16 = 60;
/// Bytes of one cell.
const CELL: usize = 300;

/// A table of any rows.
pub(crate) fn grid(words: &Words, heads: &[&str], rows: &[Vec<Cell>]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(heads.iter().map(comfy_table::Cell::new));
    match words.look {
        Look::Colour => {
            table.enforce_styling();
            // A terminal that tells no sensible width gets whole lines.
            if table.width().is_some_and(|columns| columns >= NARROW) {
                table.set_content_arrangement(ContentArrangement::Dynamic);
            }
        }
        Look::Plain => {
            table.force_no_tty();
        }
    }
    for row in rows {
        table.add_row(row.iter().map(painted));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// What hosts say of themselves passes through here: no control characters reach a terminal.
fn painted(cell: &Cell) -> comfy_table::Cell {
    let out = comfy_table::Cell::new(plain(&cell.text, CELL));
    match cell.tone {
        Tone::Good => out.fg(Color::Green),
        Tone::Busy => out.fg(Color::Cyan),
        Tone::Warn => out.fg(Color::Yellow),
        Tone::Bad => out.fg(Color::Red),
        Tone::Ask => out.fg(Color::Magenta),
        Tone::Faint => out.fg(Color::DarkGrey),
        Tone::Plain => out,
    }
}

/// Resources of one kind.
pub(crate) fn resources(kind: Kind, items: &[&Value], extent: Extent, words: &Words) -> String {
    let columns = columns::of(kind, extent);
    let heads: Vec<&str> = columns.iter().map(|c| c.head).collect();
    let rows: Vec<Vec<Cell>> =
        items.iter().map(|item| columns.iter().map(|c| c.cell(item, words)).collect()).collect();
    grid(words, &heads, &rows)
}

/// Lines that come one by one, under the heads of a list that was shown before.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    widths: Vec<usize>,
}

impl Stream {
    /// Takes the widths of what is shown first.
    pub(crate) fn begin(&mut self, heads: &[&str], rows: &[Vec<Cell>]) {
        self.widths = heads.iter().map(|h| h.chars().count()).collect();
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(plain(&cell.text, CELL).chars().count());
            }
        }
    }

    /// One line; wider cells push the rest.
    pub(crate) fn line(&self, row: &[Cell], words: &Words) -> String {
        let mut out = String::new();
        for (n, cell) in row.iter().enumerate() {
            let text = plain(&cell.text, CELL);
            let width = self.widths.get(n).copied().unwrap_or_default();
            let padding = (width + 2).saturating_sub(text.chars().count()).max(2);
            out += &words.paint(&text, cell.tone);
            out += &" ".repeat(padding);
        }
        out.trim_end().to_owned()
    }
}

/// A value without colour.
pub(crate) fn cell(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), tone: Tone::Plain }
}

fn ago(item: &Value, name: &str, words: &Words) -> Cell {
    cell(words.when(item.get(name)).map_or_else(String::new, |at| words.ago(at)))
}

/// `cairn machine ls`
pub(crate) fn machines(items: &[Value], words: &Words) -> String {
    let row = |m: &Value| vec![cell(text(m, "/mac")), ago(m, "at", words), cell(text(m, "/text"))];
    grid(words, &["ADDRESS", "SEEN", "LAST STEP"], &items.iter().map(row).collect::<Vec<_>>())
}

/// `cairn image ls`
pub(crate) fn images(items: &[Value], words: &Words) -> String {
    let row = |i: &Value| {
        let over = words.when(i.get("expires")).is_some_and(|at| at <= words.now);
        let expires = ago(i, "expires", words);
        vec![
            cell(text(i, "/name")),
            cell(i.get("version").map_or_else(String::new, Value::to_string)),
            cell(text(i, "/os_version")),
            cell(i.get("size").and_then(Value::as_u64).map_or_else(String::new, |n| words.bytes(n))),
            ago(i, "created", words),
            Cell { tone: if over { Tone::Bad } else { Tone::Plain }, ..expires },
            cell(short(text(i, "/sha256"))),
        ]
    };
    let heads = ["NAME", "VERSION", "OS", "SIZE", "ADDED", "EXPIRES", "SHA-256"];
    grid(words, &heads, &items.iter().map(row).collect::<Vec<_>>())
}

/// `cairn installer ls`
pub(crate) fn installers(items: &[Value], words: &Words) -> String {
    let row = |i: &Value| {
        let (standing, tone) = match text(i, "/standing") {
            "active" => ("served", Tone::Good),
            "accepted" => ("accepted in evidence", Tone::Plain),
            "retired" => ("retired", Tone::Faint),
            other => (other, Tone::Plain),
        };
        vec![
            cell(text(i, "/name")),
            cell(text(i, "/version")),
            Cell { text: standing.to_owned(), tone },
            ago(i, "created", words),
            cell(short(text(i, "/sha256"))),
        ]
    };
    let heads = ["FLAVOUR", "VERSION", "USE", "ADDED", "SHA-256"];
    grid(words, &heads, &items.iter().map(row).collect::<Vec<_>>())
}

fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use cairn_contract::Timestamp;
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::*;

    fn words() -> Words {
        Words { now: Timestamp(1_000_000_000_000), zone: TimeZone::UTC, look: Look::Plain }
    }

    fn host(name: &str, phase: &str) -> Value {
        json!({"kind": "Host", "metadata": {"name": name, "namespace": "retail.acme", "uid": "u", "labels": {"b": "2", "a": "1"}},
            "spec": {"site": "north"}, "status": {"phase": phase, "since": "2001-09-09T01:46:30Z", "macs": [],
            "why": "PCR 4 \u{1b}[2J"}})
    }

    #[test]
    fn a_host_is_one_line_and_its_words_do_not_steer_the_terminal() {
        let hosts = [host("till-7", "running"), host("a", "failed")];
        let hosts: Vec<&Value> = hosts.iter().collect();
        let narrow = Extent { wide: false, spanning: false };
        assert_eq!(
            resources(Kind::Host, &hosts, narrow, &words()),
            "NAME    SITE   PHASE    SINCE  IMAGE      WHY\n\
             till-7  north  running  10s    by policy  PCR 4  [2J\n\
             a       north  failed   10s    by policy  PCR 4  [2J"
        );
        let wide = resources(Kind::Host, &hosts, Extent { wide: true, spanning: true }, &words());
        assert!(wide.starts_with("NAMESPACE    NAME ") && wide.contains("a=1,b=2"), "{wide}");
    }

    #[test]
    fn every_kind_has_columns_and_says_what_to_do_when_there_are_none() {
        let object = json!({"metadata": {"name": "x", "creationTimestamp": "2001-09-09T01:46:30Z"}});
        for kind in Kind::ALL {
            let text = resources(kind, &[&object], Extent { wide: true, spanning: true }, &words());
            assert!(text.starts_with("NAMESPACE"), "{text}");
            assert!(columns::none(kind).starts_with("No "), "{kind}");
        }
    }

    #[test]
    fn streamed_lines_keep_the_columns() {
        let mut stream = Stream::default();
        stream.begin(&["NAME", "AGE"], &[vec![cell("till-7"), cell("1s")]]);
        assert_eq!(stream.line(&[cell("a"), cell("2s")], &words()), "a       2s");
        assert_eq!(stream.line(&[cell("longer-name"), cell("2s")], &words()), "longer-name  2s");
    }
}
