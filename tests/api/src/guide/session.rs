//! Where a chapter's commands run: an empty folder of their own, a small environment, jobs in the background.
//!
//! Understood without a shell: `NAME &` and later `fg` (shows the job until it has said what is expected, then Ctrl-C),
//! `kill %1`, `export NAME=VALUE`. Everything else is a program of PATH, on which `cairn` is the one under test.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::document::Exchange;
use super::pattern::{self, Names};
use super::script::Line;
use crate::child::{Process, leashed};
use crate::site::free_port;

/// For one command.
const PATIENCE: Duration = Duration::from_secs(60);
/// For what a job in the foreground still has to say.
const SAYING: Duration = Duration::from_secs(10);
/// For what a job says of which nothing is expected yet: a chapter that is new.
const FIRST_WORDS: Duration = Duration::from_secs(2);
/// What the shell of a chapter prints when a job is interrupted.
const INTERRUPTED: &str = "^C";

/// A chapter's folder, names and jobs.
#[derive(Debug)]
pub(crate) struct Session {
    folder: TempDir,
    names: Names,
    env: Vec<(OsString, OsString)>,
    jobs: Vec<Option<Process>>,
    /// That `<port>` stands for: a server that is started must answer there.
    port: u16,
}

impl Session {
    /// An empty folder with `examples` of the workspace at `root`, and `cairn` first in PATH.
    pub(crate) fn open(root: &Path, cairn: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("cairn-guide-").tempdir()?;
        let bin = folder.path().join(".bin");
        fs::create_dir(&bin)?;
        symlink(cairn, bin.join("cairn"))?;
        symlink(root.join("examples"), folder.path().join("examples"))?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path)))?;
        let set = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
        let env = vec![
            (OsString::from("PATH"), path),
            (OsString::from("HOME"), folder.path().into()),
            set("LC_ALL", "C.UTF-8"),
            set("TZ", "UTC"),
            set("TERM", "dumb"),
            set("NO_COLOR", "1"),
        ];
        let port = free_port()?;
        let names = Names::from([
            ("port".to_owned(), port.to_string()),
            ("dir".to_owned(), folder.path().display().to_string()),
        ]);
        Ok(Self { folder, names, env, jobs: Vec::new(), port })
    }

    pub(crate) fn names(&mut self) -> &mut Names {
        &mut self.names
    }

    /// Writes a file of the chapter.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path(name)?;
        let text = pattern::filled(text, &self.names);
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        folder.and_then(|()| fs::write(&path, text)).with_context(|| format!("cannot write {name}"))
    }

    /// Runs a command and returns what a terminal would show.
    pub(crate) fn run(&mut self, exchange: &Exchange) -> Result<String> {
        let line = Line::parse(&pattern::filled(&exchange.command, &self.names))?;
        let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["export", set] => self.export(set),
            ["kill", job] => self.kill(job),
            ["fg"] => self.foreground(&exchange.expected),
            _ if line.background => self.start(&line, exchange.input.as_deref()),
            _ => self.whole(&line, exchange.input.as_deref()),
        }
    }

    /// Ends all jobs, the last first.
    pub(crate) fn close(&mut self) {
        while let Some(job) = self.jobs.pop() {
            drop(job);
        }
    }

    fn export(&mut self, set: &str) -> Result<String> {
        let (name, value) = set.split_once('=').context("export NAME=VALUE")?;
        self.env.push((name.into(), value.into()));
        Ok(String::new())
    }

    fn kill(&mut self, job: &str) -> Result<String> {
        let number: usize = job.strip_prefix('%').and_then(|n| n.parse().ok()).context("kill %NUMBER")?;
        let slot = number.checked_sub(1).and_then(|index| self.jobs.get_mut(index));
        let mut job = slot.and_then(Option::take).context("there is no such job")?;
        job.end(Signal::SIGTERM);
        Ok(String::new())
    }

    fn foreground(&mut self, expected: &[String]) -> Result<String> {
        let mut job = self.jobs.iter_mut().rev().find_map(Option::take).context("there is no job")?;
        let expected: Vec<String> = expected.iter().filter(|l| *l != INTERRUPTED).cloned().collect();
        let names = self.names.clone();
        let enough = |said: &str| {
            let lines: Vec<&str> = said.lines().collect();
            said.ends_with('\n') && pattern::matches(&expected, &lines, &mut names.clone())
        };
        if expected.is_empty() {
            std::thread::sleep(FIRST_WORDS);
        } else {
            job.wait_until(SAYING, enough);
        }
        if let Some(status) = job.finish(Duration::ZERO) {
            let said = job.said();
            return Ok(format!("{said}{}", ending(status, &said)));
        }
        let said = job.said();
        job.end(Signal::SIGINT);
        Ok(format!("{said}{INTERRUPTED}\n"))
    }

    fn start(&mut self, line: &Line, input: Option<&str>) -> Result<String> {
        let job = self.spawn(line, input)?;
        let serves = line.words.iter().any(|word| word == "serve");
        self.jobs.push(Some(job));
        if serves {
            self.wait_for_port()?;
        }
        Ok(String::new())
    }

    /// Until the server takes connections.
    fn wait_for_port(&mut self) -> Result<()> {
        let since = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let job = self.jobs.last_mut().and_then(Option::as_mut).context("the job is gone")?;
            if since.elapsed() > PATIENCE || job.finish(Duration::ZERO).is_some() {
                bail!("it does not answer on port {}; it said:\n{}", self.port, job.said());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn whole(&mut self, line: &Line, input: Option<&str>) -> Result<String> {
        let mut process = self.spawn(line, input)?;
        let Some(status) = process.finish(PATIENCE) else {
            bail!("it still runs after {PATIENCE:?}; it said:\n{}", process.said());
        };
        let said = process.said();
        let said = match &line.output {
            Some(name) => fs::write(self.path(name)?, said).map(|()| String::new())?,
            None => said,
        };
        Ok(format!("{said}{}", ending(status, &said)))
    }

    fn spawn(&self, line: &Line, input: Option<&str>) -> Result<Process> {
        let (program, arguments) = line.words.split_first().context("there is no command")?;
        let mut command: Command = leashed(program);
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let feed = match (input, &line.input) {
            (Some(text), None) => Stdio::from(self.fed(text)?),
            (None, Some(file)) => Stdio::from(File::open(self.path(file)?).with_context(|| file.clone())?),
            (None, None) => Stdio::null(),
            (Some(_), Some(_)) => bail!("both << and < give input"),
        };
        Process::start(command, feed).with_context(|| format!("cannot run {program}"))
    }

    /// Input of a heredoc, as an open file that has no name any more.
    fn fed(&self, text: &str) -> Result<File> {
        let path = self.folder.path().join(".input");
        fs::write(&path, pattern::filled(text, &self.names))?;
        let file = File::open(&path)?;
        fs::remove_file(&path)?;
        Ok(file)
    }

    fn path(&self, name: &str) -> Result<PathBuf> {
        let inside = !name.starts_with('/') && !name.split('/').any(|part| part == "..");
        ensure!(inside, "{name} lies outside of the chapter's folder");
        Ok(self.folder.path().join(name))
    }
}

/// How a failure is shown, on a line of its own.
fn ending(status: ExitStatus, said: &str) -> String {
    if status.success() {
        return String::new();
    }
    let before = if said.is_empty() || said.ends_with('\n') { "" } else { "\n" };
    let code = status.code().map_or_else(|| status.to_string(), |code| format!("exit {code}"));
    format!("{before}[{code}]\n")
}

#[cfg(test)]
mod tests {
    use super::super::document::{Chapter, Part};
    use super::*;

    /// Runs a chapter of one block and returns what each command printed.
    #[track_caller]
    fn said(block: &str) -> Vec<String> {
        let chapter = Chapter::parse(&format!("```console\n{block}```\n")).unwrap();
        let mut session = Session::open(Path::new("/nonexistent"), Path::new("/bin/true")).unwrap();
        let exchange = |part: &Part| match part {
            Part::Exchange(exchange) => session.run(exchange).unwrap(),
            Part::File { .. } => panic!("{part:?}"),
        };
        chapter.parts.iter().map(exchange).collect()
    }

    #[test]
    fn output_and_failure_are_shown_as_a_terminal_does() {
        let block = "$ cat <<EOF\n> a\n> EOF\n$ sh -c 'echo x >&2; exit 3'\n$ export A=b\n$ sh -c 'printf %s \"\\$A\"'\n";
        assert_eq!(said(block)[..3], ["a\n", "x\n[exit 3]\n", ""]);
    }

    #[test]
    fn the_environment_is_the_chapters_own() {
        assert_eq!(
            said("$ export A=b\n$ env\n")[1].lines().filter(|l| l.starts_with("A=")).collect::<Vec<_>>(),
            ["A=b"]
        );
        assert_eq!(said("$ cairn\n"), [""]);
    }

    #[test]
    fn a_job_says_what_is_expected_and_is_interrupted() {
        let block = "$ sh -c 'echo one; exec sleep 60' &\n$ fg\none\n^C\n$ sleep 60 &\n$ kill %2\n";
        assert_eq!(said(block), ["", "one\n^C\n", "", ""]);
    }

    #[test]
    fn files_stay_inside() {
        let session = Session::open(Path::new("/nonexistent"), Path::new("/bin/true")).unwrap();
        assert!(session.write("../x", "").is_err() && session.write("/x", "").is_err());
        session.write("a/b", "<port>").unwrap();
        let text = fs::read_to_string(session.folder.path().join("a/b")).unwrap();
        assert_eq!(text, session.port.to_string());
    }
}
