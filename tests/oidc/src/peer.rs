//! The provider's process: start, orders, end.

use std::error::Error as _;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;

use crate::install::{InstallError, install};

/// A running provider; ends when dropped, or when this process ends.
#[derive(Debug)]
pub struct OidcPeer {
    /// Its issuer identifier, `http://127.0.0.1:PORT`.
    pub issuer: String,
    /// The one client it knows. Any loopback redirect address is allowed.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: String,
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Where the claims of a scope are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claims {
    /// In the ID token.
    IdToken,
    /// From the userinfo endpoint only, as the specification has it; so it starts.
    UserInfo,
}

/// What the next ID token, or the next answer of the token endpoint, has wrong. All else about it is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Ran out an hour ago.
    Expired,
    /// Was made in an hour.
    Future,
    /// Has another login's nonce.
    Nonce,
    /// Has no nonce.
    NoNonce,
    /// Is for another client.
    Audience,
    /// Is also for another client.
    Audiences,
    /// Was given to another client (`azp`).
    Party,
    /// Is from another issuer.
    Issuer,
    /// Belongs to another access token.
    AtHash,
    /// Comes with an access token that has a line break.
    AccessToken,
    /// Is signed by a key that nobody published.
    ForeignKey,
    /// Is an HMAC under the client's secret.
    Hmac,
    /// `alg: none`.
    Unsigned,
    /// Another subject under the old signature.
    Tampered,
    /// Is no token at all.
    Garbage,
    /// Is missing.
    Missing,
    /// The token endpoint says `slow_down` once.
    SlowDown,
    /// The token endpoint answers 4 MiB once.
    Huge,
    /// The token endpoint redirects once.
    Redirect,
}

/// Why the provider does not run or obey.
#[derive(thiserror::Error)]
pub enum PeerError {
    /// Its packages are missing.
    #[error("cannot install npm's oidc-provider")]
    Install(#[from] InstallError),
    /// There is no node.
    #[error("node is not installed; install Node.js 20 or newer (Debian: apt install nodejs npm)")]
    NoNode,
    /// The process or its pipes failed.
    #[error("cannot talk to node")]
    Io(#[from] io::Error),
    /// It ended at once.
    #[error("npm's oidc-provider did not start; it said: {0}")]
    Start(String),
    /// It ended while it was needed.
    #[error("npm's oidc-provider does not obey {0:?}")]
    Order(String),
}

/// The sentence and its causes: `unwrap` in a test shows this, and it says what to install.
impl fmt::Debug for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Hello {
    issuer: String,
    client_id: String,
    client_secret: String,
}

impl OidcPeer {
    /// Starts a provider on a free loopback port; its people are `alice` (groups admins, operators), `bob` (viewers), and
    /// under any other name somebody without groups. Blocks for about a second, the first time for `npm ci`.
    ///
    /// # Errors
    /// When npm or node is missing or fails; the sentence says what to install.
    pub fn start() -> Result<Self, PeerError> {
        let folder = install()?;
        let mut said = tempfile::tempfile()?;
        let mut child = spawn(&folder, said.try_clone()?)?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(PeerError::Start("no pipes".to_owned()));
        };
        let mut answers = BufReader::new(answers);
        let mut line = String::new();
        answers.read_line(&mut line)?;
        let Ok(Hello { issuer, client_id, client_secret }) = serde_json::from_str(&line) else {
            let _ = child.kill();
            child.wait()?;
            return Err(PeerError::Start(read(&mut said)?));
        };
        Ok(Self { issuer, client_id, client_secret, child, orders, answers })
    }

    /// Signs with a new key from now on, and publishes only that.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn rotate_keys(&mut self) -> Result<(), PeerError> {
        self.order("rotate")
    }

    /// Tells claims there from now on.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn tell_claims(&mut self, place: Claims) -> Result<(), PeerError> {
        self.order(match place {
            Claims::IdToken => "claims id_token",
            Claims::UserInfo => "claims userinfo",
        })
    }

    /// Makes one mistake next time.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn fault_once(&mut self, fault: Fault) -> Result<(), PeerError> {
        self.order(&format!("fault {}", fault.word()))
    }

    fn order(&mut self, order: &str) -> Result<(), PeerError> {
        writeln!(self.orders, "{order}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        if line.trim_end() != format!("done {order}") {
            return Err(PeerError::Order(order.to_owned()));
        }
        Ok(())
    }
}

impl Drop for OidcPeer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Fault {
    fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Future => "future",
            Self::Nonce => "nonce",
            Self::NoNonce => "no_nonce",
            Self::Audience => "audience",
            Self::Audiences => "audiences",
            Self::Party => "party",
            Self::Issuer => "issuer",
            Self::AtHash => "at_hash",
            Self::AccessToken => "access_token",
            Self::ForeignKey => "foreign_key",
            Self::Hmac => "hmac",
            Self::Unsigned => "unsigned",
            Self::Tampered => "tampered",
            Self::Garbage => "garbage",
            Self::Missing => "missing",
            Self::SlowDown => "slow_down",
            Self::Huge => "huge",
            Self::Redirect => "redirect",
        }
    }
}

fn spawn(folder: &Path, said: File) -> Result<Child, PeerError> {
    let starter = concat!(env!("CARGO_MANIFEST_DIR"), "/starter.mjs");
    let mut node = Command::new("node");
    node.arg(starter).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(said);
    node.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => PeerError::NoNode,
        _ => PeerError::Io(error),
    })
}

fn read(file: &mut File) -> Result<String, PeerError> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_what_to_install() {
        for error in [PeerError::NoNode, PeerError::Install(InstallError::NoNpm)] {
            let said = format!("{error:?}");
            assert!(said.contains("apt install nodejs npm"), "{said}");
        }
    }
}
