//! A real site for a test: `cairn init` and `cairn serve` in a folder of its own, on one loopback port, with
//! administrators' tokens. It serves no DHCP, TFTP or plain HTTP.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use regex::Regex;
use tempfile::TempDir;

use crate::child::{Process, leashed};

/// For one command, and for the server to be ready.
const PATIENCE: Duration = Duration::from_secs(60);
/// The first administrator's; the site is gone with the test.
const PASSWORD: &str = "correct horse battery staple\n";
/// Service tokens: the server limits how much each may ask.
const TOKENS: usize = 8;

/// Where the site keeps its data.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    /// In its own folder.
    Sqlite,
    /// At this `postgres://` address.
    Postgres(String),
}

/// A running site. It ends on drop.
#[derive(Debug)]
pub(crate) struct Site {
    // Ends before its folder is removed.
    server: Option<Process>,
    folder: TempDir,
    cairn: PathBuf,
    port: u16,
    tokens: Vec<String>,
}

impl Site {
    /// Makes a site, starts it and logs in. Call it in the thread that will hold the result: the server ends with it.
    pub(crate) fn start(cairn: &Path, database: &Database) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("cairn-api-").tempdir()?;
        let port = free_port()?;
        let mut site = Self { server: None, folder, cairn: cairn.to_owned(), port, tokens: Vec::new() };
        let said = site.cairn(&["init", "--data", "site", "--site", "api", "--address", "127.0.0.1"], "")?;
        let code = code(&said).with_context(|| format!("cairn init told no one-time code:\n{said}"))?;
        site.configure(database)?;
        site.serve()?;
        site.log_in(&code)?;
        site.tokens = (0..TOKENS).map(|number| site.make_token(number)).collect::<Result<_>>()?;
        Ok(site)
    }

    /// Starts the server, which must not run, and waits until it takes connections.
    pub(crate) fn serve(&mut self) -> Result<()> {
        let mut command = leashed(&self.cairn);
        command.args(["serve", "--data", "site"]).current_dir(self.folder.path());
        let mut server = Process::start(command, Stdio::null()).context("cannot start cairn serve")?;
        let since = Instant::now();
        while TcpStream::connect(self.address()).is_err() {
            if since.elapsed() > PATIENCE || server.finish(Duration::ZERO).is_some() {
                bail!("cairn serve is not ready; it said:\n{}", server.said());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.server = Some(server);
        Ok(())
    }

    /// Ends the server as systemd would.
    pub(crate) fn stop(&mut self) {
        self.server = None;
    }

    /// Runs `cairn` with these words and this input in the site's folder, and returns what it printed.
    pub(crate) fn cairn(&self, words: &[&str], input: &str) -> Result<String> {
        let mut command = leashed(&self.cairn);
        command.args(words).current_dir(self.folder.path()).env("HOME", self.folder.path());
        command.env_remove("CAIRN_DATA");
        let mut process = Process::start(command, fed(input)?)?;
        let status = process.finish(PATIENCE);
        let said = process.said();
        match status {
            Some(status) if status.success() => Ok(said),
            Some(status) => bail!("`cairn {}` ended with {status}:\n{said}", words.join(" ")),
            None => bail!("`cairn {}` still runs after {PATIENCE:?}:\n{said}", words.join(" ")),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Tokens with all rights.
    pub(crate) fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// PEM file with the CA of its certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.data().join("keys/site-ca.crt")
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("site")
    }

    /// A folder that goes with it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The server's process id.
    pub(crate) fn pid(&self) -> Result<u32> {
        Ok(self.server.as_ref().context("the server does not run")?.pid())
    }

    /// What the server has logged since it was started.
    pub(crate) fn log(&self) -> String {
        self.server.as_ref().map(Process::said).unwrap_or_default()
    }

    fn configure(&self, database: &Database) -> Result<()> {
        let path = self.data().join("cairn.toml");
        let text = fs::read_to_string(&path).context("cairn init wrote no cairn.toml")?;
        let database = match database {
            Database::Sqlite => String::new(),
            Database::Postgres(url) => format!("database = {url:?}\n"),
        };
        let port = self.port;
        let listen = format!(
            "\n[listen]\naddress = \"127.0.0.1\"\ntls = {port}\nhttp = 0\ntftp = 0\nboot = \"https\"\n"
        );
        fs::write(&path, format!("{database}{text}{listen}")).context("cannot write cairn.toml")
    }

    fn log_in(&self, code: &str) -> Result<()> {
        let url = format!("https://{}", self.address());
        let login = ["login", &url, "--code", code, "--user", "admin", "--password-stdin", "--ca-file"];
        self.cairn(&[&login[..], &["site/keys/site-ca.crt"]].concat(), PASSWORD).map(drop)
    }

    fn make_token(&self, number: usize) -> Result<String> {
        let name = format!("tests-{number}");
        let token =
            ["token", "create", &name, "--role", "admin", "--expires", "1d", "-o", "jsonpath={.secret}"];
        Ok(self.cairn(&token, "")?.trim().to_owned())
    }
}

/// The one-time code in what `cairn init` printed: of groups of letters and digits, after its flag.
fn code(said: &str) -> Option<String> {
    let pattern = Regex::new(r"--code[= ]([A-Za-z0-9-]{6,})").ok()?;
    Some(pattern.captures(said)?.get(1)?.as_str().to_owned())
}

/// A pipe that holds all of `input`, which is small.
fn fed(input: &str) -> Result<Stdio> {
    let (reader, mut writer) = std::io::pipe()?;
    writer.write_all(input.as_bytes())?;
    Ok(Stdio::from(reader))
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("loopback has no free port")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_found_in_what_init_says() {
        let said = "Log in:\n  cairn login https://127.0.0.1 --code 7KQ2-M9XD --ca-sha256 3f1c\n";
        assert_eq!(code(said).as_deref(), Some("7KQ2-M9XD"));
        assert_eq!(code("no code here"), None);
    }
}
