//! Who may ask: one operator token (as bearer, or for a browser exchanged for a session). Users and roles come later.
//!
//! ```text
//! CLI      Authorization: Bearer <token> ---------------- SHA-256, constant time --> handler
//! browser  POST /api/v1/session {token} -> cookie(id) --- SHA-256 of the id known --> handler
//!                                           unsafe method: Origin must be this very site
//! ```
//! Failed attempts are counted per source; a source with too many is not heard for a while.

mod caller;
mod gate;
mod login;
mod principal;
mod session;
mod throttle;

#[allow(unused_imports, reason = "handlers take it as they learn of rights")]
pub(crate) use caller::Caller;
pub(crate) use gate::require;
pub(crate) use login::{log_in, log_out};

use std::sync::Mutex;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use session::Sessions;
use throttle::Throttle;

/// Token, sessions and failures.
#[derive(Debug)]
pub(crate) struct Auth {
    token_sha256: [u8; 32],
    sessions: Mutex<Sessions>,
    throttle: Mutex<Throttle>,
}

impl Auth {
    pub(crate) fn new(token_sha256: [u8; 32]) -> Self {
        Self { token_sha256, sessions: Mutex::default(), throttle: Mutex::default() }
    }

    fn is_token(&self, presented: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        hash.ct_eq(&self.token_sha256).into()
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn throttle(&self) -> std::sync::MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
