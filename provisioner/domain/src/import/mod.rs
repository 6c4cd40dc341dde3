//! Host lists from CSV (RFC 4180): bytes in, one outcome a line out, and a file of the lines that failed.
//!
//! ```text
//!  bytes -> encoding -> csv (records) -> header (which form) -> cairn | emf (entry or errors) -> duplicates -> Report
//!                                                     Report -> error_file() -> corrected by a person -> bytes
//! ```
//!
//! Two forms, told apart by the header: Cairn's own, and that of Edge Manageability Framework's `orch-cli create host`.
//! Not here: whether names, sites and images exist (the API looks, and may add [`LineError::Refused`] to a line before
//! the error file is written), and any write. Called by the API's import, which the command line and the console use.
//!
//! The reader is our own and not the crate `csv`: that one takes an unclosed quote as the rest of the file and text
//! after a closing quote as part of the value, so one slip would swallow lines without a word.

mod cairn;
mod csv;
mod duplicate;
mod emf;
mod encoding;
mod error_file;
mod header;
mod row;

pub use error_file::error_file;
pub use header::Form;

use std::collections::BTreeMap;

use cairn_contract::{Digest, Mac};

use crate::selector::LabelsError;
use header::Header;
use row::Row;

/// Largest file, in bytes.
pub const MAX_BYTES: usize = 10 << 20;
/// Most lines after the header; one with line breaks inside quotes counts once.
pub const MAX_LINES: usize = 100_000;
/// Most columns.
pub const MAX_COLUMNS: usize = 64;
/// Longest field, in bytes.
pub const MAX_FIELD: usize = 4 << 10;

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The lines in their order, without empty ones.
    pub lines: Vec<Line>,
    header: Header,
    /// Whether the file began with a byte order mark; spreadsheets want one back.
    marked: bool,
}

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, counted from 1; the first of several if quotes hold line breaks.
    pub number: usize,
    /// The host, or all that is wrong. Whoever finds more that is wrong (a name that is taken) writes it here.
    pub outcome: Result<Entry, Vec<LineError>>,
    fields: Vec<String>,
}

/// One host of the list; nothing of it was looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// RFC 1123 label; made from the serial number or another identity where the file has none.
    pub name: String,
    /// SMBIOS serial number.
    pub serial: Option<String>,
    /// SMBIOS UUID, lower case with dashes.
    pub uuid: Option<String>,
    /// Network addresses.
    pub macs: Vec<Mac>,
    /// SHA-256 of the EK's SPKI.
    pub ek: Option<Digest>,
    /// Name of the site.
    pub site: Option<String>,
    /// Name of the OS image.
    pub image: Option<String>,
    /// Keep to the rules of labels.
    pub labels: BTreeMap<String, String>,
    /// What Cairn has no place for: `emf.cairn/...`.
    pub annotations: BTreeMap<String, String>,
    /// Project, or project and organisation: `retail` or `retail.acme`.
    pub project: Option<String>,
    /// What a person should know of this line.
    pub warnings: Vec<Warning>,
}

/// What a person should know of a line that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Columns that Cairn has no place for yet; their values are kept as annotations.
    Kept(Vec<&'static str>),
    /// `Secure=true`: what it asked for there is not carried over.
    Secure,
    /// The value of a column is no name here; this one stands for it.
    Renamed {
        /// The column.
        column: &'static str,
        /// Its value.
        from: String,
        /// The name.
        to: String,
    },
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Bytes that are not UTF-8.
    #[error("this line is not UTF-8; its text was taken for Latin-1 here, so check it")]
    NotUtf8,
    /// A quote that is not closed, or text after one that is.
    #[error(
        "the quotes of this line do not pair up; its columns were split at each separator here, so check them"
    )]
    Quotes,
    /// Longer than [`MAX_FIELD`].
    #[error("a field is longer than {MAX_FIELD} bytes (or a quote is not closed); it is cut here")]
    LongField,
    /// More fields than the header has columns.
    #[error("more fields than columns; left over: {0:?}")]
    ManyFields(String),
    /// A character that no terminal or spreadsheet should get.
    #[error("{column}: holds a control character")]
    Control {
        /// Which column.
        column: &'static str,
    },
    /// Not a value of its column.
    #[error("{column}: {value:?} is not {expected}")]
    Value {
        /// Which column.
        column: &'static str,
        /// What is there, cut to a readable length.
        value: String,
        /// What should be.
        expected: &'static str,
    },
    /// Labels that break a rule.
    #[error("{column}: {error}")]
    Labels {
        /// Which column.
        column: &'static str,
        /// The rule.
        error: LabelsError,
    },
    /// No identity.
    #[error("nothing says which machine this is: fill in at least one of {0}")]
    Nobody(&'static str),
    /// Stands on an earlier line already.
    #[error("{what} {value} is on line {line} already")]
    Duplicate {
        /// `serial number`, `name` and so on.
        what: &'static str,
        /// The value.
        value: String,
        /// The earlier line.
        line: usize,
    },
    /// Found by whoever imports: a sentence.
    #[error("{0}")]
    Refused(String),
}

/// Why a file is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Larger than [`MAX_BYTES`].
    #[error("the file has more than {MAX_BYTES} bytes: split it")]
    Large,
    /// More lines than [`MAX_LINES`].
    #[error("the file has more than {MAX_LINES} lines: split it")]
    ManyLines,
    /// UTF-16 with a half pair or an odd byte.
    #[error("the file begins like UTF-16 but is not: save it as UTF-8")]
    Utf16,
    /// NUL bytes: no text, or UTF-16 without a mark.
    #[error("the file is not text: save it as CSV in UTF-8")]
    NotText,
    /// No header.
    #[error("the file is empty: its first line names the columns, such as name,serial,site")]
    Empty,
    /// A header that cannot be read.
    #[error("the first line cannot be read: it names the columns, such as name,serial,site")]
    Header,
    /// More columns than [`MAX_COLUMNS`].
    #[error("the file has more than {MAX_COLUMNS} columns")]
    ManyColumns,
    /// A column that neither form has.
    #[error("there is no column {column:?}{}", hint(.nearest))]
    UnknownColumn {
        /// As the file has it, cut to a readable length.
        column: String,
        /// The nearest that there is.
        nearest: Option<&'static str>,
    },
    /// A column that is there twice.
    #[error("column {0} is there twice")]
    SecondColumn(&'static str),
    /// No column that identifies a machine.
    #[error("no column says which machine a line is: one of {0} is needed")]
    NoIdentity(&'static str),
}

/// Reads a host list.
///
/// # Errors
/// [`ImportError`] where the file as a whole cannot be read; what is wrong with one line is in that line's outcome.
pub fn read(bytes: &[u8]) -> Result<Report, ImportError> {
    if bytes.len() > MAX_BYTES {
        return Err(ImportError::Large);
    }
    let text = encoding::utf8(bytes)?;
    let (header, records) = header::read(&text.bytes)?;
    let mut rows = Vec::new();
    for record in records {
        let row = Row::new(&header, record);
        if row.is_blank() {
            continue;
        }
        if rows.len() >= MAX_LINES {
            return Err(ImportError::ManyLines);
        }
        rows.push(row);
    }
    Ok(Report { lines: outcomes(&header, rows), header, marked: text.marked })
}

impl Report {
    /// Which form the file has.
    pub fn form(&self) -> Form {
        self.header.form
    }

    /// The hosts of the lines that were understood.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.lines.iter().filter_map(|l| l.outcome.as_ref().ok())
    }

    /// How many lines failed.
    pub fn failed(&self) -> usize {
        self.lines.iter().filter(|l| l.outcome.is_err()).count()
    }
}

impl Line {
    /// What the line holds, in the order of the columns but for `Error`, without white space around it.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kept(columns) => {
                write!(f, "{}: no place in Cairn yet; kept as annotations emf.cairn/...", columns.join(", "))
            }
            Self::Secure => f.write_str(
                "Secure=true asked for Secure Boot and an encrypted disk; it is kept as an annotation and enforces \
                 nothing: turn Secure Boot on in the firmware and have it proven by an attestation policy",
            ),
            Self::Renamed { column, from, to } => write!(f, "{column} {from:?} is called {to} here"),
        }
    }
}

fn outcomes(header: &Header, rows: Vec<Row>) -> Vec<Line> {
    let mut seen = duplicate::Seen::default();
    let line = |row: Row| {
        let (mut entry, mut errors) = match header.form {
            _ if row.broken => (Entry::default(), row.errors),
            Form::Cairn => cairn::entry(header, &row),
            Form::Emf => emf::entry(header, &row),
        };
        seen.check(row.number, &mut entry, &mut errors);
        let outcome = if errors.is_empty() { Ok(entry) } else { Err(errors) };
        Line { number: row.number, outcome, fields: row.fields }
    };
    rows.into_iter().map(line).collect()
}

fn hint(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |n| format!("; did you mean {n}?"))
}
