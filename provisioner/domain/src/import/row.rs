//! One line's fields as text, with what is wrong about their bytes; and the readers of values that both forms share.

use std::{collections::BTreeMap, str::FromStr};

use uuid::Uuid;

use super::{
    Entry, LineError, MAX_FIELD,
    csv::{Broken, Record},
    header::{Column, Header},
};
use crate::{
    name,
    selector::{LabelsError, check_labels},
};

/// Longest serial number, in characters. SMBIOS has no limit; vendors stay below 40.
const MAX_SERIAL: usize = 128;
/// How many characters of a wrong value are shown.
const SHOWN: usize = 80;

/// A line that is not understood yet.
pub(super) struct Row {
    pub(super) number: usize,
    /// As many as the header has columns, or fewer; without that of errors.
    pub(super) fields: Vec<String>,
    /// An error file that has lost all but the error is not blank: the line fails again.
    failed_before: bool,
    /// What is wrong before any value is looked at.
    pub(super) errors: Vec<LineError>,
    /// The fields are a guess: their values mean nothing.
    pub(super) broken: bool,
}

impl Row {
    pub(super) fn new(header: &Header, record: Record) -> Self {
        let broken = record.broken.is_some();
        let mut errors: Vec<LineError> = record.broken.map(LineError::from).into_iter().collect();
        let mut fields: Vec<String> = record.fields.into_iter().map(|f| text(f, &mut errors)).collect();
        let over: Vec<String> = fields.split_off(fields.len().min(header.width()));
        if !broken && over.iter().any(|f| !f.is_empty()) {
            errors.push(LineError::ManyFields(shown(&over.join(" "))));
        }
        let error =
            header.error.as_ref().filter(|(at, _)| *at < fields.len()).map(|(at, _)| fields.remove(*at));
        let failed_before = error.is_some_and(|e| !e.is_empty());
        fields.shrink_to_fit();
        let row = Self { number: record.line, fields, failed_before, errors: Vec::new(), broken };
        errors.extend(row.controls(header));
        Self { errors, ..row }
    }

    /// What the line has in a column; empty where it has nothing.
    pub(super) fn get(&self, header: &Header, column: Column) -> &str {
        let at = header.columns.iter().position(|c| *c == column);
        at.and_then(|at| self.fields.get(at)).map_or("", String::as_str)
    }

    pub(super) fn is_blank(&self) -> bool {
        self.errors.is_empty() && !self.failed_before && self.fields.iter().all(String::is_empty)
    }

    fn controls<'a>(&'a self, header: &'a Header) -> impl Iterator<Item = LineError> + 'a {
        let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        let with_column = self.fields.iter().zip(&header.columns);
        with_column
            .filter(move |(field, _)| field.chars().any(control))
            .map(|(_, column)| LineError::Control { column: header.title(*column) })
    }
}

/// Reads the values of one line and gathers what is wrong.
pub(super) struct Reader<'a> {
    header: &'a Header,
    row: &'a Row,
    pub(super) errors: Vec<LineError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(header: &'a Header, row: &'a Row) -> Self {
        Self { header, row, errors: row.errors.clone() }
    }

    pub(super) fn text(&self, column: Column) -> &'a str {
        self.row.get(self.header, column)
    }

    pub(super) fn title(&self, column: Column) -> &'static str {
        self.header.title(column)
    }

    /// Nothing where the field is empty; an error where `read` has none.
    pub(super) fn value<T>(
        &mut self,
        column: Column,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(column);
        if text.is_empty() {
            return None;
        }
        let value = read(text);
        if value.is_none() {
            self.refuse(column, text, expected);
        }
        value
    }

    pub(super) fn refuse(&mut self, column: Column, value: &str, expected: &'static str) {
        let column = self.title(column);
        self.errors.push(LineError::Value { column, value: shown(value), expected });
    }

    pub(super) fn serial(&mut self) -> Option<String> {
        let ok = |t: &str| t.chars().count() <= MAX_SERIAL && !t.chars().any(char::is_control);
        let expected = "a serial number: one line of at most 128 characters";
        self.value(Column::Serial, expected, |t| ok(t).then(|| t.to_owned()))
    }

    /// Firmware without a UUID says all zeros or all ones.
    pub(super) fn uuid(&mut self) -> Option<String> {
        let read = |t: &str| Uuid::try_parse(t).ok().filter(|u| !u.is_nil() && !u.is_max());
        self.value(Column::Uuid, "a UUID, such as 1c4c4544-2046-5310-8052-cac04f515233", read)
            .map(|u| u.to_string())
    }

    pub(super) fn name(&mut self, column: Column) -> Option<String> {
        let read = |t: &str| name::check(t).is_ok().then(|| t.to_owned());
        self.value(column, "a name: 1 to 63 of a-z, 0-9 and '-', not at its ends", read)
    }

    pub(super) fn parsed<T: FromStr>(&mut self, column: Column, expected: &'static str) -> Option<T> {
        self.value(column, expected, |t| t.parse().ok())
    }

    /// `key=value` pairs between `separators`, as labels; none and an error at the first wrong one.
    pub(super) fn labels(&mut self, column: Column, separators: &[char]) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        for pair in self.text(column).split(separators).map(str::trim).filter(|p| !p.is_empty()) {
            let Some((key, value)) = pair.split_once('=') else {
                self.refuse(column, pair, "key=value");
                return BTreeMap::new();
            };
            let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
            if labels.contains_key(&key) {
                self.refuse(column, &key, "a new key: it is there twice");
                return BTreeMap::new();
            }
            labels.insert(key, value);
        }
        match check_labels(&labels) {
            Ok(()) => labels,
            Err(error) => {
                self.label_error(column, error);
                BTreeMap::new()
            }
        }
    }

    fn label_error(&mut self, column: Column, error: LabelsError) {
        let column = self.title(column);
        self.errors.push(LineError::Labels { column, error });
    }

    /// The entry, if it says which machine it is.
    pub(super) fn finish(mut self, entry: Entry) -> (Entry, Vec<LineError>) {
        let nobody =
            entry.serial.is_none() && entry.uuid.is_none() && entry.macs.is_empty() && entry.ek.is_none();
        // A wrong identity was reported already.
        if nobody && self.errors.is_empty() {
            self.errors.push(LineError::Nobody(self.header.form.identities()));
        }
        (entry, self.errors)
    }
}

impl From<Broken> for LineError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Quotes => Self::Quotes,
            Broken::LongField => Self::LongField,
            Broken::ManyFields => Self::ManyFields("all after the 64th".to_owned()),
        }
    }
}

/// A field's text without white space around it; what is wrong with it once in `errors`.
fn text(bytes: Vec<u8>, errors: &mut Vec<LineError>) -> String {
    let mut note = |error| {
        if !errors.contains(&error) {
            errors.push(error);
        }
    };
    let text = String::from_utf8(bytes).unwrap_or_else(|e| {
        note(LineError::NotUtf8);
        e.as_bytes().iter().map(|b| char::from(*b)).collect()
    });
    let field = unescaped(text.trim());
    if field.len() > MAX_FIELD {
        note(LineError::LongField);
    }
    field.get(..field.floor_char_boundary(MAX_FIELD)).unwrap_or_default().to_owned()
}

/// Lower case, with `-` for all else, as far as a name may be long; `None` if nothing is left.
pub(super) fn slug(text: &str) -> Option<String> {
    let lower = text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let mut out = String::new();
    for c in lower {
        if c != '-' || !(out.is_empty() || out.ends_with('-')) {
            out.push(c);
        }
    }
    out.truncate(63);
    let out = out.trim_end_matches('-');
    (!out.is_empty()).then(|| out.to_owned())
}

/// Takes away the apostrophe that the error file put before what a spreadsheet would take for a formula.
fn unescaped(field: &str) -> &str {
    if super::error_file::is_escaped(field) { field.get(1..).unwrap_or_default() } else { field }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}
