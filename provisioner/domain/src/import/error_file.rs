//! The lines that failed as a file of the same columns and one more, `Error`: to be corrected and imported again.
//!
//! A spreadsheet takes a value that begins with `=`, `+`, `-` or `@` for a formula and may run what a stranger wrote
//! (OWASP, "CSV Injection"). Such a value gets an apostrophe before it, which the reader takes away again; a value that
//! begins with apostrophes and one of those signs gets one more.

use super::{LineError, Report};

/// The failed lines of `report`, with what is wrong in the last column. Only the header if none failed.
pub fn error_file(report: &Report) -> String {
    let header = &report.header;
    let error = header.error.as_ref().map_or("Error", |(_, title)| title);
    let mut out = String::from(if report.marked { "\u{feff}" } else { "" });
    push_line(&mut out, header.separator, header.titles.iter().map(String::as_str).chain([error]));
    for line in &report.lines {
        let Err(errors) = &line.outcome else { continue };
        let field = |at: usize| line.fields.get(at).map_or("", String::as_str);
        let fields = (0..header.columns.len()).map(field);
        push_line(&mut out, header.separator, fields.chain([sentence(errors).as_str()]));
    }
    out
}

/// Whether the reader has to take an apostrophe away.
pub(super) fn is_escaped(field: &str) -> bool {
    field.starts_with('\'') && is_formula(field)
}

fn is_formula(field: &str) -> bool {
    field.trim_start_matches('\'').starts_with(['=', '+', '-', '@'])
}

fn sentence(errors: &[LineError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn push_line<'a>(out: &mut String, separator: u8, fields: impl Iterator<Item = &'a str>) {
    for (at, field) in fields.enumerate() {
        if at > 0 {
            out.push(char::from(separator));
        }
        push_field(out, separator, field);
    }
    out.push_str("\r\n");
}

fn push_field(out: &mut String, separator: u8, field: &str) {
    let mark = if is_formula(field) { "'" } else { "" };
    let special = |c: char| c == char::from(separator) || matches!(c, '"' | '\r' | '\n');
    if field.contains(special) {
        out.push('"');
        out.push_str(mark);
        out.push_str(&field.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(mark);
        out.push_str(field);
    }
}
