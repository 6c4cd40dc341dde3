//! What a command runs in: which server, where it prints, how it looks, whom it can ask.

use std::{
    fmt,
    io::{self, BufRead, IsTerminal as _, Read as _, Write},
};

use cairn_contract::Timestamp;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{
    Environment, Globals, Output,
    client::Client,
    clock,
    contexts::{Chosen, choose},
    exit::Failure,
    secret::Secret,
    show::{Look, words},
    target, yaml,
};

/// Bytes of a password or answer.
const MAX_ANSWER: u64 = 4096;

/// For all commands.
pub struct Context {
    pub(crate) globals: Globals,
    pub(crate) environment: Environment,
    pub(crate) output: Output,
    pub(crate) look: Look,
    pub(crate) zone: jiff::tz::TimeZone,
    pub(crate) now: fn() -> Timestamp,
    pub(crate) program: Option<clap::Command>,
    asks: Asks,
    input: Box<dyn BufRead + Send>,
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
}

/// Whether there is somebody to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Terminal,
    Nobody,
}

/// A client and the namespace it works in.
pub(crate) struct Session {
    pub(crate) client: Client,
    /// "" for none.
    pub(crate) namespace: String,
}

impl Session {
    pub(crate) fn namespace(&self) -> Option<&str> {
        Some(self.namespace.as_str()).filter(|n| !n.is_empty())
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("globals", &self.globals)
            .field("output", &self.output)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// Prints to this process's output; colours only on a terminal and without `NO_COLOR`.
    pub fn new(globals: &Globals) -> Self {
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let look = if colour { Look::Colour } else { Look::Plain };
        let asks = if io::stdin().is_terminal() && io::stderr().is_terminal() {
            Asks::Terminal
        } else {
            Asks::Nobody
        };
        let (out, err) = (Box::new(io::stdout()), Box::new(io::stderr()));
        let (environment, zone) = (Environment::of_process(), jiff::tz::TimeZone::system());
        Self { look, zone, environment, asks, ..Self::to(globals, out, err) }
    }

    /// Prints plain text in UTC to `out` and `err`, asks nobody, and knows no environment.
    pub fn to(globals: &Globals, out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self {
            globals: globals.clone(),
            environment: Environment::default(),
            output: globals.form(),
            look: Look::Plain,
            zone: jiff::tz::TimeZone::UTC,
            now: clock::now,
            program: None,
            asks: Asks::Nobody,
            input: Box::new(io::BufReader::new(io::stdin())),
            out,
            err,
        }
    }

    /// With another environment.
    #[must_use]
    pub fn within(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Reads passwords from `input` instead of standard input.
    #[must_use]
    pub fn reading(mut self, input: Box<dyn BufRead + Send>) -> Self {
        self.input = input;
        self
    }

    /// With the whole command line of the program, for completion.
    #[must_use]
    pub fn of_program(mut self, program: clap::Command) -> Self {
        self.program = Some(program);
        self
    }

    pub(crate) fn chosen(&self) -> Result<Chosen, Failure> {
        choose(&self.globals, &self.environment)
    }

    pub(crate) fn session(&self) -> Result<Session, Failure> {
        let chosen = self.chosen()?;
        Ok(Session { client: Client::new(chosen.connection)?, namespace: chosen.namespace })
    }

    pub(crate) fn client(&self) -> Result<Client, Failure> {
        self.session().map(|s| s.client)
    }

    pub(crate) fn words(&self) -> words::Words {
        words::Words { now: (self.now)(), zone: self.zone.clone(), look: self.look }
    }

    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.out, "{text}").and_then(|()| self.out.flush()).map_err(|e| unwritten(&e))
    }

    /// Bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes).and_then(|()| self.out.flush()).map_err(|e| unwritten(&e))
    }

    /// Prints `value` as a program asked for it; `false` when people read the output, so that the caller prints a text.
    pub(crate) fn value(&mut self, value: &Value) -> Result<bool, Failure> {
        let text = match &self.output {
            Output::Table | Output::Wide => return Ok(false),
            Output::Json => format!("{value:#}"),
            Output::Yaml => yaml::write(value),
            Output::Name => names(value),
            Output::JsonPath(template) => template.print(value),
        };
        match (text.is_empty(), text.ends_with('\n')) {
            (true, _) => {}
            (false, true) => self.raw(text.as_bytes())?,
            (false, false) => self.line(&text)?,
        }
        Ok(true)
    }

    /// As [`Context::value`], one of a stream: JSON on one line, YAML as a document.
    pub(crate) fn streamed(&mut self, value: &Value) -> Result<bool, Failure> {
        match &self.output {
            Output::Json => self.line(&value.to_string()).map(|()| true),
            Output::Yaml => self.raw(format!("---\n{}", yaml::write(value)).as_bytes()).map(|()| true),
            _ => self.value(value),
        }
    }

    /// To people, beside the output.
    pub(crate) fn say(&mut self, text: &str) {
        // Whoever closed the error stream does not want to know.
        drop(writeln!(self.err, "{text}"));
    }

    /// A yes or no; without a terminal a failure that names the flag to give instead.
    pub(crate) fn confirm(&mut self, question: &str, flag: &str) -> Result<(), Failure> {
        let unasked =
            || Failure::usage(format!("{question} There is nobody to ask."), format!("To say yes: {flag}"));
        if self.asks == Asks::Nobody {
            return Err(unasked());
        }
        match self.ask(&format!("{question} [y/N]"))?.to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::new("you did not say yes; nothing was done", "")),
        }
    }

    /// As [`Context::confirm`], but a script means what it says.
    pub(crate) fn confirm_on_terminal(&mut self, question: &str) -> Result<(), Failure> {
        if self.asks == Asks::Nobody { Ok(()) } else { self.confirm(question, "--yes") }
    }

    /// A line of text from the terminal.
    pub(crate) fn ask(&mut self, question: &str) -> Result<String, Failure> {
        if self.asks == Asks::Nobody {
            return Err(Failure::usage(
                format!("{question}? There is nobody to ask."),
                "Say it by a flag: see --help",
            ));
        }
        drop(write!(self.err, "{question} ").and_then(|()| self.err.flush()));
        self.first_line()
    }

    fn first_line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        let read = (&mut self.input).take(MAX_ANSWER).read_line(&mut line);
        read.map_err(|e| Failure::new(format!("cannot read standard input: {e}"), ""))?;
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// All of standard input, of at most `limit` bytes of text.
    pub(crate) fn all_input(&mut self, limit: u64) -> Result<Zeroizing<String>, Failure> {
        let mut text = Zeroizing::new(String::new());
        let read = (&mut self.input).take(limit.saturating_add(1)).read_to_string(&mut text);
        read.map_err(|e| {
            Failure::new(format!("cannot read standard input: {e}"), "It must be text (UTF-8).")
        })?;
        if text.len() as u64 > limit {
            return Err(Failure::new(format!("standard input holds more than {limit} bytes"), "Send less."));
        }
        Ok(text)
    }

    /// Without echo from the terminal, or the first line of standard input.
    pub(crate) fn password(&mut self, question: &str, from_stdin: FromStdin) -> Result<Secret, Failure> {
        if from_stdin == FromStdin::Yes {
            return self.first_line().map(Secret::new);
        }
        if self.asks == Asks::Nobody {
            return Err(Failure::usage(
                "there is no terminal to ask for the password",
                "Give it by --password-stdin",
            ));
        }
        let answer = rpassword::prompt_password(format!("{question}: "));
        answer.map(Secret::new).map_err(|e| Failure::new(format!("cannot read the password: {e}"), ""))
    }
}

/// Whether a password comes from standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FromStdin {
    Yes,
    No,
}

/// `kind/name` of one resource or of each of a list.
fn names(value: &Value) -> String {
    let one = std::slice::from_ref(value);
    let items = value.get("items").and_then(Value::as_array).map_or(one, Vec::as_slice);
    items.iter().map(target::kind_and_name).collect::<Vec<_>>().join("\n")
}

/// A closed pipe is no failure: `cairn host ls | head`.
fn unwritten(error: &io::Error) -> Failure {
    let code = if error.kind() == io::ErrorKind::BrokenPipe { 0 } else { 1 };
    Failure { code, ..Failure::new(format!("cannot print: {error}"), "") }
}
