//! The TPM's client: the verbs that attestation and TLS need, over any [`Transport`].
//!
//! Not a verifier (that is `cairn-evidence`) and not a general TPM library: no HMAC or salted sessions, no sealing.
//! [`Tpm`] is a cheap handle that may be cloned into threads; commands are serialised by a lock. [`Key`] flushes its
//! slot when dropped, since a TPM without a resource manager (swtpm's socket, `/dev/tpm0`) has three.
//! Called by the installer and the agent.
//!
//! Keys that come back after a reboot without stored state: AK and TLS key are *primary* keys with a fixed template,
//! derived by the TPM from a hierarchy's seed. The AK lives in the endorsement hierarchy, as the EK does; the TLS key
//! in the owner hierarchy, so that clearing the TPM ends the host's identity.

mod command;
mod credential;
mod info;
mod keys;
mod nv;
mod quote;
mod tls;
mod transport;
mod wire;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use command::Code;
use command::{Command, Response, Returns};
pub use info::Properties;
pub use keys::Key;
pub use nv::{EkCertificate, EkCertificates};
pub use quote::{Attested, PcrSelection, PcrValues};
pub use tls::TpmSigningKey;
pub use transport::{Device, Socket, Transport};
pub use wire::Short;
use wire::Writer;

/// TPM_RC_RETRY, TPM_RC_YIELDED, TPM_RC_TESTING: "the same command again, later" (Part 2, 6.6.3).
const TRY_AGAIN: [u32; 3] = [0x922, 0x908, 0x90A];
/// TPM_RC_INITIALIZE in answer to Startup: the firmware already did it.
const ALREADY_STARTED: u32 = 0x100;
/// A self test of a slow discrete TPM takes up to 2 s; 40 tries with growing pauses are about 8 s.
const TRIES: u32 = 40;
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Why a TPM verb failed.
#[derive(Debug, thiserror::Error)]
pub enum TpmError {
    /// Neither device file is there.
    #[error("this machine shows no TPM (/dev/tpmrm0, /dev/tpm0)")]
    Absent,
    /// The device could not be opened or spoken to.
    #[error("cannot speak to the TPM")]
    Transport(#[source] io::Error),
    /// The TPM answered with a response code.
    #[error("the TPM refused {command:?} with code {code:#05x}")]
    Refused {
        /// The command refused.
        command: Code,
        /// TPM_RC (Part 2, 6.6).
        code: u32,
    },
    /// The answer is not what the specification says.
    #[error("the TPM's answer to {command:?} makes no sense")]
    Malformed {
        /// The command answered.
        command: Code,
        /// Where it broke.
        #[source]
        source: Short,
    },
    /// No random bytes for a nonce.
    #[error("the kernel gives no random bytes")]
    Random,
}

/// A TPM. Clones share it.
#[derive(Debug, Clone)]
pub struct Tpm(Arc<Mutex<Box<dyn Transport>>>);

impl Tpm {
    /// The machine's TPM: the kernel's resource manager if there is one.
    ///
    /// # Errors
    /// [`TpmError::Absent`] without a device; [`TpmError::Transport`] if it cannot be opened.
    pub fn open() -> Result<Self, TpmError> {
        for path in ["/dev/tpmrm0", "/dev/tpm0"] {
            match Device::open(Path::new(path)) {
                Ok(device) => return Ok(Self::over(Box::new(device))),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(TpmError::Transport(e)),
            }
        }
        Err(TpmError::Absent)
    }

    /// A TPM behind any transport.
    #[must_use]
    pub fn over(transport: Box<dyn Transport>) -> Self {
        Self(Arc::new(Mutex::new(transport)))
    }

    /// TPM2_Startup(CLEAR), for a TPM that no firmware started. Repeating it is harmless.
    ///
    /// # Errors
    /// As any verb.
    pub fn startup(&self) -> Result<(), TpmError> {
        match self.run(&Command::new(Code::Startup).params(Writer::new().u16(0)), Returns::Nothing) {
            Ok(_) | Err(TpmError::Refused { code: ALREADY_STARTED, .. }) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Sends one command, again while the TPM says that it is busy.
    fn run(&self, command: &Command, returns: Returns) -> Result<Response, TpmError> {
        let frame = zeroize::Zeroizing::new(command.frame());
        let mut pause = Duration::from_millis(2);
        for _ in 0..TRIES {
            let answer = {
                let mut transport = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                transport.transact(&frame).map_err(TpmError::Transport)?
            };
            match Response::parse(&answer, returns)
                .map_err(|source| TpmError::Malformed { command: command.code, source })?
            {
                Ok(response) => return Ok(response),
                Err(code) if TRY_AGAIN.contains(&code) => std::thread::sleep(pause),
                Err(code) => return Err(TpmError::Refused { command: command.code, code }),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err(TpmError::Refused { command: command.code, code: TRY_AGAIN[0] })
    }

    /// Frees a transient object or session. A failure leaves a slot taken, which the next verb reports.
    fn flush(&self, handle: u32) {
        let command = Command::new(Code::FlushContext).params(Writer::new().u32(handle));
        if let Err(error) = self.run(&command, Returns::Nothing) {
            tracing::debug!(handle, %error, "a TPM slot was not flushed");
        }
    }
}

/// Names the command in a parse error.
fn malformed(command: Code) -> impl Fn(Short) -> TpmError {
    move |source| TpmError::Malformed { command, source }
}
