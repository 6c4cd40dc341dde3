//! `cairn import hosts`: the server reads the table; this program says what it said of each line.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use serde_json::Value;

use crate::{
    Context,
    exit::Failure,
    show::table::{self, cell},
    target::{text, with_query},
    verbs::apply::Run,
};

/// Bytes of a table.
const MAX_BYTES: u64 = 16 << 20;

/// What is asked.
pub(crate) struct Request<'a> {
    pub(crate) file: &'a Path,
    pub(crate) run: Run,
    pub(crate) error_file: Option<&'a Path>,
}

/// `cairn import hosts`
pub(crate) async fn hosts(cx: &mut Context, request: Request<'_>) -> Result<(), Failure> {
    let session = cx.session()?;
    let table = read(request.file)?;
    let path =
        with_query("/api/v1/hosts/import", &[("namespace", session.namespace()), request.run.parameter()]);
    let answer = session.client.send_text(&path, "text/csv", table).await?;
    if let Some(path) = request.error_file {
        write_errors(cx, path, &answer)?;
    }
    let lines = answer.get("lines").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let wrong = lines.iter().filter(|l| !said(l, "errors").is_empty()).count();
    if !cx.value(&answer)? {
        let words = cx.words();
        // What is fine needs no line when there are many.
        let shown = |l: &&Value| {
            lines.len() <= 50 || !said(l, "errors").is_empty() || !said(l, "warnings").is_empty()
        };
        let rows: Vec<_> = lines.iter().filter(shown).map(row).collect();
        if !rows.is_empty() {
            cx.line(&table::grid(&words, &["LINE", "HOST", "ACTION", "REMARKS"], &rows))?;
        }
        cx.line(&format!("{}{}", summary(&answer, lines), request.run.suffix()))?;
    }
    match wrong {
        0 => Ok(()),
        n => {
            let text = if n == 1 { "1 line is wrong".to_owned() } else { format!("{n} lines are wrong") };
            let next = match request.error_file {
                Some(path) => format!("Mend them in {} and import that file.", path.display()),
                None => "Write them into a file of their own: --error-file FILE".to_owned(),
            };
            Err(Failure::new(text, next))
        }
    }
}

fn row(line: &Value) -> Vec<crate::show::columns::Cell> {
    let number = line.get("line").and_then(Value::as_u64).map_or_else(String::new, |n| n.to_string());
    let remarks = [said(line, "errors"), said(line, "warnings")].concat().join("; ");
    vec![cell(number), cell(text(line, "/name")), cell(text(line, "/action")), cell(remarks)]
}

/// Sentences of a line.
fn said(line: &Value, member: &str) -> Vec<String> {
    let each = line.get(member).and_then(Value::as_array).into_iter().flatten();
    each.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn summary(answer: &Value, lines: &[Value]) -> String {
    let count =
        |word: &str| answer.pointer(&format!("/summary/{word}")).and_then(Value::as_u64).unwrap_or_default();
    let words = ["created", "configured", "unchanged", "failed"];
    let parts = words.into_iter().filter(|w| count(w) > 0).map(|w| format!("{} {w}", count(w)));
    let parts = parts.collect::<Vec<_>>().join(", ");
    match lines.len() {
        0 => "There is no host in this file.".to_owned(),
        1 => format!("1 line: {parts}"),
        n => format!("{n} lines: {parts}"),
    }
}

fn write_errors(cx: &mut Context, path: &Path, answer: &Value) -> Result<(), Failure> {
    let content = text(answer, "/errorFile");
    if content.is_empty() {
        return Ok(());
    }
    fs::write(path, content).map_err(|e| {
        Failure::new(format!("cannot write {}: {e}", path.display()), "Check its folder and rights.")
    })?;
    cx.say(&format!("The lines that are wrong are in {}.", path.display()));
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    let read = if path.as_os_str() == "-" {
        io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut out)
    } else {
        fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut out))
    };
    read.map_err(|e| {
        Failure::new(format!("cannot read {}: {e}", path.display()), "Check its name and rights.")
    })?;
    if out.len() as u64 > MAX_BYTES {
        return Err(Failure::new(format!("{} is larger than 16 MiB", path.display()), "Split it."));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_tells_what_is_wrong_with_it() {
        let line = json!({"line": 3, "name": "a", "action": "failed", "errors": ["no such site", "twice"], "warnings": []});
        let cells: Vec<String> = row(&line).into_iter().map(|c| c.text).collect();
        assert_eq!(cells, ["3", "a", "failed", "no such site; twice"]);
        let lines = [line.clone(), line];
        let answer = json!({"summary": {"created": 1, "configured": 0, "unchanged": 0, "failed": 1}});
        assert_eq!(summary(&answer, &lines), "2 lines: 1 created, 1 failed");
    }
}
