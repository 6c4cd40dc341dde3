//! Maintenance windows: whether a host may be disturbed now, and when it may next be.
//!
//! A window is a start (cron, [`Cron`]) and a length in minutes; the time zone is the site's ([`Zone`]). Not here: what
//! a window permits (`crate::policies`) and what time it is: `now` is an argument. Called by policy resolution, by the
//! driver before it takes an order and by `cairn explain`.
//!
//! Summer time, in words that the operator's guide repeats:
//! - A start on a local time that is skipped in spring happens at the first instant after the skipped time.
//! - A start on a local time that comes twice in autumn happens once, the first time.
//! - Lengths are elapsed time: a window of two hours has two hours, whatever the clock on the wall does meanwhile.
//!
//! So local times stay in order when they become instants, and the search relies on that: it looks at days around `now`
//! and halves the starts of one day.

mod cron;
mod zone;

pub use cron::{Cron, CronError, Field, FieldError};
pub use zone::{Zone, ZoneError};

use cairn_contract::Timestamp;
use jiff::{ToSpan, civil::Date};

/// Most windows of one set.
pub const MAX_WINDOWS: usize = 16;
/// Longest window, in minutes: a week.
pub const MAX_MINUTES: u32 = 7 * 24 * 60;

/// How far ahead the next start is looked for. 29 February is eight years away around 2100.
const HORIZON_DAYS: usize = 9 * 366;
/// How many overlapping windows are followed to the end of an open stretch.
const MAX_HOPS: usize = 100;

/// One window: it opens at each start and stays open for `minutes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    start: Cron,
    minutes: u32,
}

/// Windows of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    zone: Zone,
    windows: Vec<Window>,
}

/// Whether any window is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// One is.
    Open {
        /// When the last of those that follow without a break closes. Where more than a hundred do, an earlier
        /// instant: still open until then, and to be asked again.
        until: Timestamp,
    },
    /// None is.
    Closed {
        /// When the next opens; `None` without windows, or at the end of the calendar.
        next: Option<Timestamp>,
    },
}

/// Why windows are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// No such time zone.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// More than [`MAX_WINDOWS`].
    #[error("at most {MAX_WINDOWS} maintenance windows, not {0}")]
    Many(usize),
    /// A start that is none.
    #[error("start of maintenance window {number}")]
    Start {
        /// Which, counted from 1.
        number: usize,
        /// What is wrong.
        #[source]
        source: CronError,
    },
    /// Not 1 to [`MAX_MINUTES`].
    #[error("maintenance window {number} has {minutes} minutes; 1 to {MAX_MINUTES} are possible")]
    Minutes {
        /// Which, counted from 1.
        number: usize,
        /// What was asked for.
        minutes: u32,
    },
}

impl Windows {
    /// Reads windows as a policy has them: start and minutes; `zone` is an IANA name.
    ///
    /// # Errors
    /// [`WindowError`] of the first that is wrong.
    pub fn read<'a>(
        zone: &str,
        windows: impl IntoIterator<Item = (&'a str, u32)>,
    ) -> Result<Self, WindowError> {
        let zone = Zone::named(zone)?;
        let one = |(at, (start, minutes)): (usize, (&str, u32))| window(at.saturating_add(1), start, minutes);
        let windows: Vec<Window> = windows.into_iter().enumerate().map(one).collect::<Result<_, _>>()?;
        if windows.len() > MAX_WINDOWS {
            return Err(WindowError::Many(windows.len()));
        }
        Ok(Self { zone, windows })
    }

    /// Whether a window is open at `now`: some start is not after it, and `now` is before that start's end.
    pub fn state(&self, now: Timestamp) -> State {
        let mut until = match self.end(now) {
            Some(end) => end,
            None => return State::Closed { next: self.next(now) },
        };
        for _ in 0..MAX_HOPS {
            match self.end(until) {
                Some(later) => until = later,
                None => break,
            }
        }
        State::Open { until }
    }

    /// The latest end of the windows that are open at `now`; it is after `now`.
    fn end(&self, now: Timestamp) -> Option<Timestamp> {
        self.windows.iter().filter_map(|w| w.end(&self.zone, now)).max()
    }

    fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.windows.iter().filter_map(|w| w.next(&self.zone, now)).min()
    }
}

impl Window {
    /// When it closes, if it is open at `now`. Of several starts the last has the latest end.
    fn end(&self, zone: &Zone, now: Timestamp) -> Option<Timestamp> {
        let length = i64::from(self.minutes).saturating_mul(60_000);
        let earliest = Timestamp(now.0.saturating_sub(length));
        // A day more at both ends: a change of the clock can move a start over midnight.
        let first = zone.date(earliest)?.yesterday().ok()?;
        let mut day = zone.date(now)?.tomorrow().ok()?;
        while day >= first {
            if let Some(start) = self.last_start(zone, day, now) {
                let end = Timestamp(start.0.saturating_add(length));
                return (end > now).then_some(end);
            }
            day = day.yesterday().ok()?;
        }
        None
    }

    /// The first start after `now`.
    fn next(&self, zone: &Zone, now: Timestamp) -> Option<Timestamp> {
        let first = zone.date(now)?.yesterday().ok()?;
        first.series(1.day()).take(HORIZON_DAYS).find_map(|day| self.first_start(zone, day, now))
    }

    fn last_start(&self, zone: &Zone, day: Date, now: Timestamp) -> Option<Timestamp> {
        if !self.start.falls_on(day) {
            return None;
        }
        let after = self.count_until(zone, day, now);
        zone.instant(day.to_datetime(self.start.time(after.checked_sub(1)?)?))
    }

    fn first_start(&self, zone: &Zone, day: Date, now: Timestamp) -> Option<Timestamp> {
        if !self.start.falls_on(day) {
            return None;
        }
        zone.instant(day.to_datetime(self.start.time(self.count_until(zone, day, now))?))
    }

    /// How many of this day's starts are not after `now`.
    fn count_until(&self, zone: &Zone, day: Date, now: Timestamp) -> usize {
        let not_after = |at: usize| {
            let instant = self.start.time(at).and_then(|time| zone.instant(day.to_datetime(time)));
            instant.is_some_and(|i| i <= now)
        };
        let (mut low, mut high) = (0, self.start.times());
        while low < high {
            let middle = low.midpoint(high);
            if not_after(middle) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }
}

fn window(number: usize, start: &str, minutes: u32) -> Result<Window, WindowError> {
    let start = start.parse().map_err(|source| WindowError::Start { number, source })?;
    if !(1..=MAX_MINUTES).contains(&minutes) {
        return Err(WindowError::Minutes { number, minutes });
    }
    Ok(Window { start, minutes })
}
