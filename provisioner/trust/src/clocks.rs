//! The clock of each TPM's last quote: it may not run backwards (attestation.md rule 8). In memory: a restart of the
//! provisioner begins anew, and the nonce alone keeps old quotes out.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use cairn_contract::Digest;
use cairn_evidence::{
    Clock,
    quote::{self, ClockRefusal},
};

/// TPMs remembered; when more prove themselves, all are forgotten and learned anew.
const MOST: usize = 65_536;

/// Last clocks by EK.
#[derive(Debug, Default)]
pub struct Clocks(Mutex<HashMap<Digest, Clock>>);

impl Clocks {
    /// Takes the clock of a proven quote, unless it lies before the last one of this TPM.
    pub fn advance(&self, ek: Digest, now: Clock) -> Result<(), ClockRefusal> {
        let mut clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = clocks.get(&ek) {
            quote::since(before, &now)?;
        }
        if clocks.len() >= MOST {
            clocks.clear();
        }
        clocks.insert(ek, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_runs_backwards_is_refused() {
        let clock = |resets, milliseconds| Clock { milliseconds, resets, restarts: 0, safe: true };
        let (clocks, ek) = (Clocks::default(), Digest::of(b"ek"));
        assert!(clocks.advance(ek, clock(5, 1000)).is_ok());
        assert!(clocks.advance(ek, clock(5, 900)).is_err());
        assert!(clocks.advance(ek, clock(4, 2000)).is_err());
        assert!(clocks.advance(ek, clock(6, 1500)).is_ok());
        assert!(clocks.advance(Digest::of(b"other"), clock(1, 1)).is_ok());
    }
}
