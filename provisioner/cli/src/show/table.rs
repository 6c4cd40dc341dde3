//! Lists as tables: no frames, one line for each item.

use cairn_domain::fact::plain;
use cairn_operator::view::{HostRow, ImageRow, InstallerRow, InstallerStanding, Machine, Proven, Tpm};
use comfy_table::{Cell, Color, ContentArrangement, Table};

use super::{
    Look,
    words::{Tone, Words, tone},
};

/// Columns below which breaking lines makes them worse.
const NARROW: u16 = 60;
/// Bytes of one cell.
const CELL: usize = 300;

fn table(words: &Words, head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(head.iter().map(Cell::new));
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
    table
}

/// Without the spaces at the ends of lines.
fn text(table: &mut Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// What hosts say of themselves passes through here: no control characters reach a terminal.
fn cell(text: &str) -> Cell {
    Cell::new(plain(text, CELL))
}

fn painted(text: &str, tone: Tone) -> Cell {
    let cell = cell(text);
    match tone {
        Tone::Good => cell.fg(Color::Green),
        Tone::Busy => cell.fg(Color::Cyan),
        Tone::Warn => cell.fg(Color::Yellow),
        Tone::Bad => cell.fg(Color::Red),
        Tone::Ask => cell.fg(Color::Magenta),
        Tone::Faint => cell.fg(Color::DarkGrey),
        Tone::Plain => cell,
    }
}

/// `cairn host ls`
pub(crate) fn hosts(rows: &[HostRow], words: &Words) -> String {
    let mut table = table(words, &["NAME", "STATE", "SINCE", "IMAGE", "TPM", "WHY"]);
    for row in rows {
        table.add_row(vec![
            cell(&row.name),
            painted(&row.state, tone(&row.state)),
            Cell::new(words.ago(row.since)),
            cell(&image(row)),
            cell(&tpm(row.tpm.as_ref())),
            cell(row.why.as_deref().unwrap_or_default()),
        ]);
    }
    text(&mut table)
}

/// What the disk holds, else what is meant for it.
pub(crate) fn image(row: &HostRow) -> String {
    match (&row.installed, &row.image) {
        (Some(installed), _) => format!("{} {}", installed.image, installed.version),
        (None, Some(image)) => image.clone(),
        (None, None) => "default".to_owned(),
    }
}

/// Vendor and whether it proved itself.
pub(crate) fn tpm(tpm: Option<&Tpm>) -> String {
    let Some(tpm) = tpm else { return "not seen".to_owned() };
    let proven = match tpm.proven {
        Proven::Yes => "proven",
        Proven::No => "not proven",
    };
    match &tpm.manufacturer {
        Some(vendor) => format!("{vendor}, {proven}"),
        None => proven.to_owned(),
    }
}

/// `cairn machine ls`
pub(crate) fn machines(rows: &[Machine], words: &Words) -> String {
    let mut table = table(words, &["ADDRESS", "SEEN", "LAST STEP"]);
    for row in rows {
        table.add_row(vec![Cell::new(row.mac), Cell::new(words.ago(row.at)), cell(&row.text)]);
    }
    text(&mut table)
}

/// `cairn image ls`
pub(crate) fn images(rows: &[ImageRow], words: &Words) -> String {
    let mut table = table(words, &["NAME", "VERSION", "OS", "SIZE", "ADDED", "EXPIRES", "SHA-256"]);
    for row in rows {
        let expires = if row.expires <= words.now { Tone::Bad } else { Tone::Plain };
        table.add_row(vec![
            cell(&row.name),
            Cell::new(row.version),
            cell(&row.os_version),
            Cell::new(words.bytes(row.size)),
            Cell::new(words.ago(row.created)),
            painted(&words.ago(row.expires), expires),
            Cell::new(short(&row.sha256)),
        ]);
    }
    text(&mut table)
}

/// `cairn installer ls`
pub(crate) fn installers(rows: &[InstallerRow], words: &Words) -> String {
    let mut table = table(words, &["FLAVOUR", "VERSION", "USE", "ADDED", "SHA-256"]);
    for row in rows {
        let (standing, tone) = match row.standing {
            InstallerStanding::Active => ("served", Tone::Good),
            InstallerStanding::Accepted => ("accepted in evidence", Tone::Plain),
            InstallerStanding::Retired => ("retired", Tone::Faint),
        };
        table.add_row(vec![
            cell(&row.name),
            cell(&row.version),
            painted(standing, tone),
            Cell::new(words.ago(row.created)),
            Cell::new(short(&row.sha256)),
        ]);
    }
    text(&mut table)
}

fn short(digest: &cairn_contract::Digest) -> String {
    digest.to_string().chars().take(12).collect()
}
