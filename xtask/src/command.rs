//! Running one program: shown before it runs, its end checked. The only place of xtask that starts processes.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// A program to run with its arguments, folder and environment.
#[derive(Debug)]
pub(crate) struct Program {
    inner: Command,
}

impl Program {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self { inner: Command::new(program) }
    }

    /// Cargo as it runs us; `--locked` is the caller's.
    pub(crate) fn cargo() -> Self {
        let mut inner = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // Set by `cargo run` for xtask itself; a child cargo that sees them rebuilds what reads them.
        for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
            inner.env_remove(name);
        }
        Self { inner }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.inner.arg(arg);
        self
    }

    pub(crate) fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.inner.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(name, value);
        self
    }

    pub(crate) fn within(mut self, dir: &Path) -> Self {
        self.inner.current_dir(dir);
        self
    }

    /// Shows the command, runs it with our output, and fails when it fails.
    pub(crate) fn run(mut self) -> Result<()> {
        eprintln!("+ {}", self.shown());
        let status = self.inner.status().with_context(|| format!("cannot run {}", self.name()))?;
        if !status.success() {
            bail!("`{}` ended with {status}", self.shown());
        }
        Ok(())
    }

    /// Runs it silently and gives what it printed.
    pub(crate) fn output(mut self) -> Result<String> {
        let out = self.inner.stdin(Stdio::null()).output();
        let out = out.with_context(|| format!("cannot run {}", self.name()))?;
        if !out.status.success() {
            let said = String::from_utf8_lossy(&out.stderr);
            bail!("`{}` ended with {}: {}", self.shown(), out.status, said.trim());
        }
        String::from_utf8(out.stdout).context("its output is not UTF-8")
    }

    /// What it printed, whether it succeeded or not.
    pub(crate) fn whatever(mut self) -> Result<String> {
        let out = self.inner.stdin(Stdio::null()).output();
        let out = out.with_context(|| format!("cannot run {}", self.name()))?;
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    fn name(&self) -> String {
        let program = Path::new(self.inner.get_program());
        program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
    }

    fn shown(&self) -> String {
        let args = self.inner.get_args().map(OsStr::to_os_string);
        let words: Vec<OsString> = std::iter::once(self.name().into()).chain(args).collect();
        words.join(OsStr::new(" ")).to_string_lossy().into_owned()
    }
}
