//! The system clock: the only place that reads or sets it.
//!
//! A machine whose battery is dead starts in 1970 or at its build date. The signed, measured installer carries a time
//! before which no clock is right ([`SiteTrust::not_before`](cairn_contract::SiteTrust)); certificates are judged by the
//! later of the two, and after the connection stands the clock follows the server.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use cairn_contract::Timestamp;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};

/// HTTP's `Date` has whole seconds, and an answer takes its time.
const DRIFT_S: i64 = 5;

/// The system's time, as it is.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "the one module that reads the clock")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The system's time, but not before `floor`.
#[must_use]
pub fn now_at_least(floor: Timestamp) -> Timestamp {
    now().max(floor)
}

/// Sets the system's time. Needs CAP_SYS_TIME.
///
/// # Errors
/// As `clock_settime(2)`.
pub fn set(to: Timestamp) -> io::Result<()> {
    let millis = to.0.rem_euclid(1000);
    clock_settime(ClockId::CLOCK_REALTIME, TimeSpec::new(to.seconds(), millis * 1_000_000))?;
    Ok(())
}

/// Follows a clock that is believed, if this one is off by more than 5 s. Failure is logged: certificates are judged
/// by the site's floor in any case.
pub fn follow(believed: Timestamp) {
    let off = believed.seconds().saturating_sub(now().seconds());
    if off.abs() <= DRIFT_S {
        return;
    }
    match set(believed) {
        Ok(()) => tracing::info!("the clock was off by {off} s and follows the provisioner's"),
        Err(error) => tracing::warn!("the clock is off by {off} s and cannot be set: {error}"),
    }
}

/// Milliseconds since the kernel started.
#[must_use]
pub fn since_boot_millis() -> u64 {
    let t = clock_gettime(ClockId::CLOCK_BOOTTIME).unwrap_or(TimeSpec::new(0, 0));
    let millis = t.tv_sec().saturating_mul(1000).saturating_add(t.tv_nsec() / 1_000_000);
    u64::try_from(millis).unwrap_or(0)
}

/// Reads an HTTP `Date` (RFC 9110, 5.6.7, the fixed form only): `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    let mut parts = text.strip_suffix(" GMT")?.get(5..)?.split(' ');
    let day: i64 = parts.next()?.parse().ok().filter(|d| (1..=31).contains(d))?;
    let month = parts.next()?;
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = i64::try_from(names.iter().position(|n| *n == month)?).ok()? + 1;
    let year: i64 = parts.next()?.parse().ok().filter(|y| (1970..=9999).contains(y))?;
    let mut clock = parts.next()?.split(':').map(|n| n.parse::<i64>().ok().filter(|n| (0..=60).contains(n)));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(Timestamp(seconds * 1000))
}

/// Days from 1970-01-01 in the Gregorian calendar; the year is counted from March, so that leap days come last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_of_http_are_read() {
        let of = |text| parse_http_date(text).map(Timestamp::seconds);
        assert_eq!(of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(of("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(of("Thu, 29 Feb 2024 12:00:00 GMT"), Some(1_709_208_000));
        assert_eq!(of("Sunday, 06-Nov-94 08:49:37 GMT"), None);
    }

    #[test]
    fn a_floor_lifts_a_clock_that_is_behind() {
        let future = Timestamp(now().0 + 86_400_000);
        assert_eq!(now_at_least(future), future);
        assert!(now_at_least(Timestamp(0)).0 > 1_700_000_000_000);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = parse_http_date(&text);
        }
    }
}
