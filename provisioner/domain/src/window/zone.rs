//! A time zone by its IANA name, from the copy of the database inside the program: no file of the machine is read, so
//! every provisioner has the same rules.

use cairn_contract::Timestamp;
use jiff::{
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase},
};

use crate::nearest::nearest;

/// Longest name that is looked up.
const MAX_NAME: usize = 64;

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// Why a time zone is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone {name:?}; write an IANA name, such as {}", example(.nearest))]
pub struct ZoneError {
    /// What was asked for, cut to a readable length.
    pub name: String,
    /// The nearest one there is.
    pub nearest: Option<String>,
}

impl Zone {
    /// The zone of an IANA name, such as `Europe/Berlin` or `UTC`; upper and lower case alike.
    ///
    /// # Errors
    /// [`ZoneError`] with the nearest name.
    pub fn named(name: &str) -> Result<Self, ZoneError> {
        let database = TimeZoneDatabase::bundled();
        let found = (name.len() <= MAX_NAME).then(|| database.get(name).ok()).flatten();
        match found {
            Some(zone) if !zone.is_unknown() => Ok(Self(zone)),
            _ => Err(refusal(&database, name)),
        }
    }

    /// Its name as the database spells it.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The local date at an instant; `None` outside the calendar (years -9999 to 9999).
    pub(super) fn date(&self, at: Timestamp) -> Option<Date> {
        let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
        Some(self.0.to_datetime(at).date())
    }

    /// The instant of a local time: of two the first, and of a skipped one the end of what was skipped.
    pub(super) fn instant(&self, local: DateTime) -> Option<Timestamp> {
        let at = |offset: Offset| offset.to_timestamp(local).ok();
        let instant = match self.0.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => at(offset)?,
            AmbiguousOffset::Fold { before, .. } => at(before)?,
            AmbiguousOffset::Gap { before, .. } => {
                // Read by the old clock it lies at or after the change: the change is the last one before the next second.
                let next = at(before)?.checked_add(jiff::SignedDuration::from_secs(1)).ok()?;
                self.0.preceding(next).next()?.timestamp()
            }
        };
        Some(Timestamp(instant.as_millisecond()))
    }
}

fn refusal(database: &TimeZoneDatabase, name: &str) -> ZoneError {
    let known: Vec<String> = database.available().map(|n| n.as_str().to_owned()).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let nearest = nearest(name, &known).map(str::to_owned);
    ZoneError { name: name.chars().take(MAX_NAME).collect(), nearest }
}

fn example(nearest: &Option<String>) -> &str {
    nearest.as_deref().unwrap_or("Europe/Berlin")
}
