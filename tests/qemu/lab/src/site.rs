//! A real provisioner inside the lab's network: `cairn init`, `cairn serve`, and the operator's commands against it.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::child::{Leash, Owned};
use crate::net::{Net, NetError};
use crate::patience::Stage;
use crate::tool::{self, ToolError};
use crate::transcript::{StageError, Transcript};

/// Why a provisioner did not come up.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// A file of the site.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// `cairn init` failed.
    #[error("cannot initialise the site")]
    Init(#[source] ToolError),
    /// `cairn serve` could not be started.
    #[error("cannot start {program}")]
    Start {
        /// The binary.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It started, and ended or stayed deaf.
    #[error("the provisioner is not ready")]
    NotReady(#[source] StageError),
    /// The network cannot be entered.
    #[error("the provisioner has no network")]
    Net(#[source] NetError),
}

/// Why an operator's command failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It reported failure.
    #[error("cairn refused")]
    Failed(#[source] ToolError),
    /// It succeeded, and printed something other than JSON.
    #[error("cairn printed no JSON: {said}")]
    NotJson {
        /// Its first bytes.
        said: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// How to tell that the provisioner serves.
#[derive(Debug, Clone)]
pub enum Ready {
    /// This address takes TCP connections.
    Port(SocketAddr),
    /// A line of its log matches this regular expression.
    Line(String),
}

/// A provisioner's set-up. `{data}` in an argument stands for its data folder.
#[derive(Debug, Clone)]
pub struct SiteConfig {
    /// The `cairn` binary.
    pub program: PathBuf,
    /// Arguments of the initialisation; left out when the folder holds a site already.
    pub init: Vec<String>,
    /// Replaces the configuration that the initialisation wrote.
    pub config_toml: Option<String>,
    /// Arguments of the server.
    pub serve: Vec<String>,
    /// Arguments put before each operator's command.
    pub call: Vec<String>,
    /// Environment of all three.
    pub env: Vec<(String, String)>,
    /// When it counts as up.
    pub ready: Ready,
}

impl SiteConfig {
    /// A site on the lab's bridge that serves DHCP there and believes the (virtual) TPMs of these roots; ready when its TLS
    /// port answers.
    #[must_use]
    pub fn new(program: &Path, tpm_roots: &[PathBuf]) -> Self {
        let server = Net::SERVER.to_string();
        let mut init = words(&["init", "--data", "{data}", "--site", "lab", "--address", &server]);
        init.extend(words(&["--dhcp-interface", Net::BRIDGE, "--dhcp-subnet", Net::SUBNET]));
        init.extend(words(&["--dhcp-pool", "10.77.0.100-10.77.0.199", "--accept-virtual-tpm"]));
        for root in tpm_roots {
            init.extend(words(&["--tpm-root", &root.to_string_lossy()]));
        }
        Self {
            program: program.to_owned(),
            init,
            config_toml: None,
            serve: words(&["serve", "--data", "{data}"]),
            call: words(&["--data", "{data}"]),
            env: Vec::new(),
            ready: Ready::Port(SocketAddr::from((Net::SERVER, 443))),
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// A provisioner that runs. It ends on drop.
#[derive(Debug)]
pub struct Site<'net> {
    net: &'net Net,
    config: SiteConfig,
    folder: PathBuf,
    server: Owned,
    log: Transcript,
}

impl<'net> Site<'net> {
    /// Initialises a site in `folder`, if there is none, and starts its server. Call it in the thread that
    /// will hold the result: the server ends with that thread.
    pub fn start(net: &'net Net, config: SiteConfig, folder: &Path) -> Result<Self, SiteError> {
        initialise(net, &config, folder)?;
        let (server, log) = serve(net, &config, folder)?;
        let mut site = Self { net, config, folder: folder.to_owned(), server, log };
        site.wait_ready()?;
        Ok(site)
    }

    /// Starts the server so that it outlives this process; returns its process id without waiting for it to be ready, and
    /// writes its log to `serve.log`.
    pub fn start_loose(net: &Net, config: &SiteConfig, folder: &Path) -> Result<u32, SiteError> {
        initialise(net, config, folder)?;
        let path = folder.join("serve.log");
        let file = |source| SiteError::File { path: path.clone(), source };
        let log = File::create(&path).map_err(file)?;
        let mut command = command(net, config, folder, (Leash::Loose, &config.serve));
        command.stdout(log.try_clone().map_err(file)?).stderr(log);
        // A group of its own, so that Ctrl-C in the terminal ends the lab's program only.
        command.process_group(0);
        let child = command.spawn();
        Ok(child.map_err(|source| SiteError::Start { program: config.program.clone(), source })?.id())
    }

    /// What the server has logged since it was started (last).
    #[must_use]
    pub fn log(&self) -> &Transcript {
        &self.log
    }

    /// The server's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Its data folder: configuration, keys, database, and `serve.log`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends the server as a crash would.
    pub fn kill9(&mut self) {
        self.server.kill();
    }

    /// Ends the server as systemd would; false when it had to be killed.
    pub fn stop(&mut self) -> bool {
        self.server.terminate(Stage::LOCAL.deadline())
    }

    /// Starts the server again, after `kill9` or `stop`, or in their place, and waits until it is ready.
    pub fn restart(&mut self) -> Result<(), SiteError> {
        self.server.kill();
        (self.server, self.log) = serve(self.net, &self.config, &self.folder)?;
        self.wait_ready()
    }

    /// Runs an operator's command and returns what it printed. Ends it after a minute.
    pub fn call(&self, words: &[&str]) -> Result<String, CallError> {
        let words: Vec<String> = [self.config.call.clone(), self::words(words)].concat();
        let inner = command(self.net, &self.config, &self.folder, (Leash::Short, &words));
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", "60"]).arg(inner.get_program()).args(inner.get_args());
        command.envs(self.config.env.iter().cloned());
        let printed = tool::run(&mut command).map_err(CallError::Failed)?;
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    /// Runs an operator's command with `--json` and returns what it printed.
    pub fn json(&self, words: &[&str]) -> Result<Value, CallError> {
        let printed = self.call(&[words, &["--json"]].concat())?;
        serde_json::from_str(&printed)
            .map_err(|source| CallError::NotJson { said: printed.chars().take(200).collect(), source })
    }

    fn wait_ready(&mut self) -> Result<(), SiteError> {
        let stage = Stage::new("provisioner ready", 5.0);
        match self.config.ready.clone() {
            Ready::Line(pattern) => self.log.wait_for(&pattern, stage).map(drop).map_err(SiteError::NotReady),
            Ready::Port(address) => self.wait_port(address, stage),
        }
    }

    fn wait_port(&mut self, address: SocketAddr, stage: Stage) -> Result<(), SiteError> {
        let knock = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok();
        loop {
            if self.net.inside(knock).map_err(SiteError::Net)? {
                return Ok(());
            }
            let (who, pattern, tail) = ("cairn serve".into(), format!("TCP {address}"), self.log.tail(30));
            if self.server.ended().is_some() {
                return Err(SiteError::NotReady(StageError::Ended { who, stage: stage.name, pattern, tail }));
            }
            let waited = self.log.elapsed();
            if waited > stage.deadline() {
                return Err(SiteError::NotReady(StageError::Late {
                    who,
                    stage: stage.name,
                    pattern,
                    waited,
                    tail,
                }));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Runs `cairn init`, if the folder holds no site, and puts the configuration in place.
fn initialise(net: &Net, config: &SiteConfig, folder: &Path) -> Result<(), SiteError> {
    let path = folder.join("cairn.toml");
    let file = |source| SiteError::File { path: path.clone(), source };
    fs::create_dir_all(folder).map_err(file)?;
    if !path.exists() {
        let mut init = command(net, config, folder, (Leash::Short, &config.init));
        tool::run(&mut init).map_err(SiteError::Init)?;
    }
    match &config.config_toml {
        Some(text) => fs::write(&path, text).map_err(file),
        None => Ok(()),
    }
}

fn serve(net: &Net, config: &SiteConfig, folder: &Path) -> Result<(Owned, Transcript), SiteError> {
    let path = folder.join("serve.log");
    let copy = File::options().create(true).append(true).open(&path);
    let copy = copy.map_err(|source| SiteError::File { path, source })?;
    let failed = |source| SiteError::Start { program: config.program.clone(), source };
    let (reader, writer) = io::pipe().map_err(failed)?;
    let mut command = command(net, config, folder, (Leash::Short, &config.serve));
    command.stdout(writer.try_clone().map_err(failed)?).stderr(writer);
    let log = Transcript::new("cairn serve");
    let server = Owned::new(command.spawn().map_err(failed)?);
    log.follow(reader, copy);
    Ok((server, log))
}

fn command(net: &Net, config: &SiteConfig, folder: &Path, (leash, words): (Leash, &[String])) -> Command {
    let data = folder.to_string_lossy();
    let mut command = net.command_on(leash, &config.program);
    command.args(words.iter().map(|word| word.replace("{data}", &data)));
    command.envs(config.env.iter().cloned()).stdin(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_told_its_bridge_and_whom_to_believe() {
        let config = SiteConfig::new(Path::new("/bin/cairn"), &["/ca/root.pem".into()]);
        let line = config.init.join(" ");
        assert!(
            line.starts_with("init --data {data} ") && line.ends_with(" --tpm-root /ca/root.pem"),
            "{line}"
        );
        assert!(
            line.contains("--address 10.77.0.1 --dhcp-interface br0 --dhcp-subnet 10.77.0.0/24"),
            "{line}"
        );
    }
}
