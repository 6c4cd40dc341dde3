//! The only place of this crate that reads the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Time that only goes forward; a paused test's clock is followed.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock `ahead` seconds from now, as RFC 3339 writes it in UTC.
#[allow(clippy::disallowed_methods, reason = "the one module that reads the clock")]
pub(crate) fn rfc3339(ahead: i64) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(0).saturating_add(ahead);
    prost_types::Timestamp { seconds, nanos: 0 }.to_string()
}

/// Waits ever longer: from a second to a minute, and from a second again after a run of ten minutes.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    next: Duration,
}

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// Who ran this long has recovered.
const RECOVERED: Duration = Duration::from_secs(600);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// How long to wait after a run that lasted `ran`.
    pub(crate) fn after(&mut self, ran: Duration) -> Duration {
        if ran >= RECOVERED {
            self.next = FIRST;
        }
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_minute_and_start_anew_after_a_long_run() {
        let mut backoff = Backoff::new();
        let waits: Vec<u64> = (0..8).map(|_| backoff.after(Duration::ZERO).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.after(RECOVERED), FIRST);
    }
}
