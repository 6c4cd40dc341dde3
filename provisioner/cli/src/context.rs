//! What a command runs in: where its data is, where it prints, how it looks.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write},
    path::PathBuf,
};

use cairn_contract::Timestamp;
use serde::Serialize;

use crate::{
    Client, ClientFile, Globals, clock,
    exit::Failure,
    show::{Look, words},
};

/// Whether people or programs read the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Tables and sentences.
    Text,
    /// JSON.
    Json,
}

/// For all commands.
pub struct Context {
    pub(crate) data: PathBuf,
    pub(crate) format: Format,
    pub(crate) look: Look,
    pub(crate) zone: jiff::tz::TimeZone,
    pub(crate) now: fn() -> Timestamp,
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("data", &self.data)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// Prints to this process's output; colours only on a terminal and without `NO_COLOR`.
    pub fn new(globals: &Globals) -> Self {
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let look = if colour { Look::Colour } else { Look::Plain };
        let (out, err) = (Box::new(io::stdout()), Box::new(io::stderr()));
        Self { look, zone: jiff::tz::TimeZone::system(), ..Self::to(globals, out, err) }
    }

    /// Prints plain text in UTC to `out` and `err`.
    pub fn to(globals: &Globals, out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        let format = if globals.json { Format::Json } else { Format::Text };
        let (data, zone) = (globals.data.clone(), jiff::tz::TimeZone::UTC);
        Self { data, format, look: Look::Plain, zone, now: clock::now, out, err }
    }

    pub(crate) fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(ClientFile::load(&self.data)?)?)
    }

    pub(crate) fn words(&self) -> words::Words {
        words::Words { now: (self.now)(), zone: self.zone.clone(), look: self.look }
    }

    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.out, "{text}").and_then(|()| self.out.flush()).map_err(|e| unwritten(&e))
    }

    /// JSON for a person to read too; one value.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|e| Failure::new(e.to_string(), ""))?;
        self.line(&text)
    }

    /// JSON on one line, for streams.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|e| Failure::new(e.to_string(), ""))?;
        self.line(&text)
    }

    /// To people, beside the output.
    pub(crate) fn say(&mut self, text: &str) {
        // Whoever closed the error stream does not want to know.
        drop(writeln!(self.err, "{text}"));
    }
}

/// A closed pipe is no failure: `cairn host ls | head`.
fn unwritten(error: &io::Error) -> Failure {
    let code = if error.kind() == io::ErrorKind::BrokenPipe { 0 } else { 1 };
    Failure { code, ..Failure::new(format!("cannot print: {error}"), "") }
}
