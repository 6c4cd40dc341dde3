//! Runs a person's editor on a file: the one place where this program starts another.

use std::{path::Path, process::Command};

use crate::exit::Failure;

/// Opens `path` in `editor` (with its arguments, as in `code --wait`) and waits until it is closed.
pub(crate) fn open(editor: Option<&str>, path: &Path) -> Result<(), Failure> {
    let words: Vec<&str> = editor.unwrap_or("vi").split_whitespace().collect();
    let (program, arguments) = words.split_first().map_or(("vi", &[][..]), |(p, a)| (*p, a));
    let next = "Name another: EDITOR=nano cairn edit ...";
    let status = Command::new(program).args(arguments).arg(path).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            Err(Failure::new(format!("the editor {program} ended with {status}; nothing was changed"), next))
        }
        Err(e) => Err(Failure::new(format!("cannot start the editor {program}: {e}"), next)),
    }
}
