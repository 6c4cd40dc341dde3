//! How fast to try again.

use std::time::Duration;

use tokio::time::sleep;

const FASTEST: Duration = Duration::from_secs(1);

/// Doubles from a second to the slowest, and begins anew after a success.
#[derive(Debug)]
pub(crate) struct Pace {
    next: Duration,
    slowest: Duration,
}

impl Pace {
    pub(crate) fn new(slowest: Duration) -> Self {
        Self { next: FASTEST, slowest }
    }

    pub(crate) fn succeeded(&mut self) {
        self.next = FASTEST;
    }

    /// Whether so many attempts failed that something else should be tried.
    pub(crate) fn is_slowest(&self) -> bool {
        self.next >= self.slowest
    }

    /// Waits before the next attempt.
    pub(crate) async fn failed(&mut self) {
        sleep(self.next).await;
        self.next = (self.next * 2).min(self.slowest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_pace_doubles_up_to_its_limit() {
        let mut pace = Pace::new(Duration::from_secs(5));
        let begun = tokio::time::Instant::now();
        for _ in 0..5 {
            pace.failed().await;
        }
        assert_eq!(begun.elapsed(), Duration::from_secs(1 + 2 + 4 + 5 + 5));
        assert!(pace.is_slowest());
        pace.succeeded();
        pace.failed().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(18));
    }
}
