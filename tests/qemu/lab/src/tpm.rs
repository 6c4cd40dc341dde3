//! A guest's TPM 2.0: swtpm's state folder, and the process that serves it for one power-on.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::child::{Leash, Owned};
use crate::tool::{self, ToolError};
use crate::tpm_ca::TpmCa;
use crate::workspace::WorkspaceError;

/// Why a TPM could not be made or started.
#[derive(Debug, thiserror::Error)]
pub enum TpmError {
    /// swtpm's tools failed.
    #[error("cannot manufacture a TPM")]
    Manufacture(#[source] ToolError),
    /// Another lab holds the CA's lock, or it cannot be made.
    #[error("cannot lock the TPM CA")]
    Lock(#[source] WorkspaceError),
    /// A file of the TPM or its CA.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// swtpm ended, or never opened its socket. Its log says why.
    #[error("swtpm did not start; see {log}")]
    Start {
        /// Its log.
        log: PathBuf,
    },
}

impl TpmError {
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}

/// A TPM. Its state stays in the folder when this is dropped.
#[derive(Debug, Clone)]
pub struct Tpm {
    folder: PathBuf,
}

impl Tpm {
    /// A new TPM in `folder` with RSA and ECC EK certificates signed by `ca` (1.5 s).
    pub fn certified(folder: &Path, ca: &TpmCa) -> Result<Self, TpmError> {
        Self::make(folder, Some(ca))
    }

    /// A new TPM in `folder` whose maker put no EK certificate on it.
    pub fn bare(folder: &Path) -> Result<Self, TpmError> {
        Self::make(folder, None)
    }

    /// The TPM whose state is in `folder`.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn make(folder: &Path, ca: Option<&TpmCa>) -> Result<Self, TpmError> {
        fs::create_dir_all(folder).map_err(|source| TpmError::file(folder, source))?;
        manufacture(folder, ca)?;
        Ok(Self::open(folder))
    }

    /// Starts swtpm for one power-on, listening for QEMU at `socket`. It ends by itself when QEMU lets go.
    pub fn start(&self, socket: &Path, leash: Leash) -> Result<Owned, TpmError> {
        let log = self.folder.join("swtpm.log");
        let errors = File::options().create(true).append(true).open(&log);
        let errors = errors.map_err(|source| TpmError::file(&log, source))?;
        // A socket file that a killed swtpm left behind would look like readiness.
        let _ = fs::remove_file(socket);
        let mut command = leash.command("swtpm");
        command.args(["socket", "--tpm2", "--flags", "startup-clear", "--terminate", "--tpmstate"]);
        command.arg(prefixed("dir=", &self.folder));
        command.arg("--ctrl").arg(prefixed("type=unixio,path=", socket));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        if leash == Leash::Loose {
            // A group of its own, so that Ctrl-C in the terminal ends the lab's program only.
            command.process_group(0);
        }
        let child = command.spawn().map_err(|source| TpmError::file(Path::new("swtpm"), source))?;
        let mut swtpm = Owned::new(child);
        let since = Instant::now();
        while !socket.exists() {
            if swtpm.ended().is_some() || since.elapsed() > Duration::from_secs(20) {
                return Err(TpmError::Start { log });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(swtpm)
    }
}

/// Fills `folder` with the state of a new TPM.
pub(crate) fn manufacture(folder: &Path, ca: Option<&TpmCa>) -> Result<(), TpmError> {
    let name = folder.file_name().map_or_else(Default::default, |name| name.to_string_lossy());
    let mut command = Command::new("swtpm_setup");
    command.args(["--tpm2", "--overwrite", "--pcr-banks", "sha256", "--tpmstate"]).arg(folder);
    command.arg("--logfile").arg(folder.join("setup.log"));
    if let Some(ca) = ca {
        command.args(["--create-ek-cert", "--create-platform-cert", "--lock-nvram", "--vmid", &name]);
        command.arg("--config").arg(ca.config());
    }
    tool::run(&mut command).map(drop).map_err(TpmError::Manufacture)
}

fn prefixed(prefix: &str, path: &Path) -> std::ffi::OsString {
    let mut word = std::ffi::OsString::from(prefix);
    word.push(path);
    word
}
