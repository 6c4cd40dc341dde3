//! Records of a CSV file, RFC 4180, over bytes; any of CR LF, LF and CR ends a line.
//!
//! Milder than the RFC: spaces around a quoted field, quotes inside an unquoted one, fewer fields than columns.
//! Stricter than most readers: a record with broken quotes is given up at the end of its first line, so that it costs
//! one line and not the rest of the file.

use super::{MAX_BYTES, MAX_COLUMNS, MAX_FIELD};

/// With the apostrophe that an error file may put before a field.
const MAX_RAW: usize = MAX_FIELD + 1;

/// One record.
pub(super) struct Record {
    /// Its first line, counted from 1.
    pub(super) line: usize,
    pub(super) fields: Vec<Vec<u8>>,
    /// Why `fields` are only the first line, split at each separator.
    pub(super) broken: Option<Broken>,
}

/// What keeps a record from being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// A quote that is not closed, or text after one that is.
    Quotes,
    /// A field longer than [`MAX_FIELD`].
    LongField,
    /// More fields than [`MAX_COLUMNS`].
    ManyFields,
}

/// Reads the records of `bytes` one by one.
#[derive(Debug, Clone)]
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    separator: u8,
    at: usize,
    line: usize,
    /// Bytes that were read for records given up. Beyond a file's worth no field may hold a line break any more, so
    /// that a file of nothing but open quotes is not read again and again.
    wasted: usize,
}

impl<'a> Records<'a> {
    pub(super) fn new(bytes: &'a [u8], separator: u8) -> Self {
        Self { bytes, separator, at: 0, line: 1, wasted: 0 }
    }

    pub(super) fn separator(&self) -> u8 {
        self.separator
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        self.peek()?;
        let (start, line) = (self.at, self.line);
        match self.fields() {
            Ok(fields) => Some(Record { line, fields, broken: None }),
            Err(broken) => {
                self.wasted = self.wasted.saturating_add(self.at.saturating_sub(start));
                (self.at, self.line) = (start, line);
                Some(Record { line, fields: self.split_line(), broken: Some(broken) })
            }
        }
    }
}

impl<'a> Records<'a> {
    fn fields(&mut self) -> Result<Vec<Vec<u8>>, Broken> {
        let mut out = Vec::new();
        loop {
            self.skip_spaces();
            let field = if self.peek() == Some(b'"') { self.quoted()? } else { self.unquoted() };
            if field.len() > MAX_RAW {
                return Err(Broken::LongField);
            }
            out.push(field);
            match self.peek() {
                Some(b) if b == self.separator => self.at = self.at.saturating_add(1),
                Some(b'\r' | b'\n') => {
                    self.end_line();
                    return Ok(out);
                }
                None => return Ok(out),
                Some(_) => return Err(Broken::Quotes),
            }
            if out.len() >= MAX_COLUMNS {
                return Err(Broken::ManyFields);
            }
        }
    }

    /// From one quote to the next single one, and spaces after it.
    fn quoted(&mut self) -> Result<Vec<u8>, Broken> {
        let mut out = Vec::new();
        self.at = self.at.saturating_add(1);
        loop {
            let byte = self.peek().ok_or(Broken::Quotes)?;
            let before = self.at;
            match byte {
                b'"' => {
                    self.at = self.at.saturating_add(1);
                    if self.peek() != Some(b'"') {
                        self.skip_spaces();
                        return Ok(out);
                    }
                    self.at = self.at.saturating_add(1);
                    out.push(b'"');
                }
                b'\r' | b'\n' if self.wasted > MAX_BYTES => return Err(Broken::Quotes),
                b'\r' | b'\n' => {
                    self.end_line();
                    out.extend_from_slice(self.bytes.get(before..self.at).unwrap_or_default());
                }
                byte => {
                    self.at = self.at.saturating_add(1);
                    out.push(byte);
                }
            }
            if out.len() > MAX_RAW {
                return Err(Broken::LongField);
            }
        }
    }

    fn unquoted(&mut self) -> Vec<u8> {
        let rest = self.rest();
        let end = rest.iter().position(|b| *b == self.separator || matches!(b, b'\r' | b'\n'));
        let field = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.at = self.at.saturating_add(field.len());
        field.to_vec()
    }

    /// One line, at each separator, without quotes around the parts; the whole line if nothing else is in it.
    fn split_line(&mut self) -> Vec<Vec<u8>> {
        let rest = self.rest();
        let end = rest.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or_default();
        self.at = self.at.saturating_add(end);
        self.end_line();
        let bare = |part: &[u8]| {
            let part = part.trim_ascii();
            let part = part.strip_prefix(b"\"").unwrap_or(part);
            part.strip_suffix(b"\"").unwrap_or(part).to_vec()
        };
        let fields: Vec<Vec<u8>> = line.split(|b| *b == self.separator).take(MAX_COLUMNS).map(bare).collect();
        if fields.iter().all(|f| f.trim_ascii().is_empty()) { vec![line.to_vec()] } else { fields }
    }

    /// Steps over CR LF, LF or CR, if one comes next.
    fn end_line(&mut self) {
        let length = match self.rest() {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => return,
        };
        self.at = self.at.saturating_add(length);
        self.line = self.line.saturating_add(1);
    }

    fn skip_spaces(&mut self) {
        let spaces = self.rest().iter().take_while(|b| **b == b' ').count();
        self.at = self.at.saturating_add(spaces);
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}
