//! When a window starts: five fields of cron, minute hour day-of-month month day-of-week.
//!
//! Lists, ranges, steps after `*` or a range, English names of months and days in any case, Sunday as 0 or 7, and `L`
//! for the last day of the month. Where day-of-month and day-of-week are both restricted, either is enough; a field
//! that begins with `*` (also `*/2`) is not a restriction, and then both must hold: Vixie cron's rule (crontab(5)).
//! Not here: instants and time zones.

use std::{fmt, str::FromStr};

use jiff::civil::{Date, Time, date};

/// Longest text, in bytes.
const MAX_TEXT: usize = 512;
/// How many characters of a refused part are shown.
const SHOWN: usize = 40;
/// Five years, in days.
const MAX_GAP: i32 = 5 * 365 + 1;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Local dates and times at which a window starts. At least one in any five years (of this century).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    minutes: Vec<i8>,
    hours: Vec<i8>,
    days: Restriction,
    last_day: bool,
    months: u64,
    weekdays: Restriction,
}

/// Which values a field allows, one a bit; `any` if it begins with `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Restriction {
    values: u64,
    any: bool,
}

/// The fields, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to 31, or `L`.
    Day,
    /// 1 to 12, or names.
    Month,
    /// 0 to 7, or names.
    Weekday,
}

/// What is wrong with a part of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// Not a value of this field.
    #[error("is no value of this field")]
    Value,
    /// From high to low.
    #[error("is a range that ends before it begins")]
    Backwards,
    /// `5/10`.
    #[error("has a step after a single value; a step stands after * or a range")]
    StepOfOne,
    /// `*/0` or not a number.
    #[error("has a step that is not a number from 1")]
    Step,
}

/// Why a start is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Longer than it may be.
    #[error("a cron expression has at most {MAX_TEXT} bytes")]
    Long,
    /// Another number of fields than five.
    #[error(
        "a cron expression has five fields (minute hour day month weekday), such as `0 2 * * sun`, not {0}"
    )]
    Fields(usize),
    /// A field that is none.
    #[error("{field} field: {part:?} {error}")]
    Field {
        /// Which.
        field: Field,
        /// The part of it that is wrong, cut to a readable length.
        part: String,
        /// What is wrong.
        error: FieldError,
    },
    /// 30 February, for example.
    #[error("`{0}` never happens: no such month has such a day")]
    Never(String),
    /// 29 February on a Monday, for example.
    #[error("`{0}` does not happen for more than five years at a time")]
    Rare(String),
}

impl FromStr for Cron {
    type Err = CronError;

    /// # Errors
    /// [`CronError`]: not five fields, a field that is none, or starts that never or hardly ever come.
    fn from_str(text: &str) -> Result<Self, CronError> {
        if text.len() > MAX_TEXT {
            return Err(CronError::Long);
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let &[minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(CronError::Fields(fields.len()));
        };
        let (day_values, last_day) = Field::Day.read(day)?;
        let weekdays = Field::Weekday.read(weekday)?.0;
        let cron = Self {
            minutes: listed(Field::Minute.read(minute)?.0),
            hours: listed(Field::Hour.read(hour)?.0),
            days: Restriction { values: day_values, any: day.starts_with('*') },
            last_day,
            months: Field::Month.read(month)?.0,
            // 7 is Sunday too.
            weekdays: Restriction { values: weekdays | weekdays >> 7, any: weekday.starts_with('*') },
            text: fields.join(" "),
        };
        cron.comes()?;
        Ok(cron)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Cron {
    /// Whether it starts on this day at all.
    pub fn falls_on(&self, day: Date) -> bool {
        let number = day.day();
        let by_day = has(self.days.values, number) || self.last_day && number == day.days_in_month();
        let by_weekday = has(self.weekdays.values, day.weekday().to_sunday_zero_offset());
        has(self.months, day.month())
            && if self.days.any || self.weekdays.any { by_day && by_weekday } else { by_day || by_weekday }
    }

    /// How many starts such a day has: 1 to 1440.
    pub(super) fn times(&self) -> usize {
        self.hours.len().saturating_mul(self.minutes.len())
    }

    /// One of them, from 0, in their order.
    pub(super) fn time(&self, at: usize) -> Option<Time> {
        let hour = self.hours.get(at.checked_div(self.minutes.len())?)?;
        let minute = self.minutes.get(at.checked_rem(self.minutes.len())?)?;
        Time::new(*hour, *minute, 0, 0).ok()
    }

    /// Weekdays and leap years repeat after 28 years, so these years stand for all of the century.
    fn comes(&self) -> Result<(), CronError> {
        let (mut last, end) = (date(2024, 1, 1), date(2057, 12, 31));
        let (mut day, mut found, mut rare) = (last, false, false);
        while day < end {
            if self.falls_on(day) {
                rare |= found && days_between(last, day) > MAX_GAP;
                (last, found) = (day, true);
            }
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        match found {
            false => Err(CronError::Never(self.text.clone())),
            true if rare || days_between(last, end) > MAX_GAP => Err(CronError::Rare(self.text.clone())),
            true => Ok(()),
        }
    }
}

impl Field {
    /// The values, one a bit, and whether `L` is among them.
    fn read(self, text: &str) -> Result<(u64, bool), CronError> {
        let (mut values, mut last) = (0, false);
        for part in text.split(',') {
            if self == Self::Day && part.eq_ignore_ascii_case("l") {
                last = true;
                continue;
            }
            values |= self.part(part).map_err(|error| CronError::Field {
                field: self,
                part: part.chars().take(SHOWN).collect(),
                error,
            })?;
        }
        Ok((values, last))
    }

    fn part(self, part: &str) -> Result<u64, FieldError> {
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => (range, Some(number(step).filter(|s| *s > 0).ok_or(FieldError::Step)?)),
        };
        let (low, high) = self.range(range)?;
        if step.is_some() && range != "*" && !range.contains('-') {
            return Err(FieldError::StepOfOne);
        }
        if low > high {
            return Err(FieldError::Backwards);
        }
        let values = (low..=high).step_by(usize::from(step.unwrap_or(1)));
        Ok(values.fold(0, |bits, value| bits | 1 << value))
    }

    fn range(self, range: &str) -> Result<(u8, u8), FieldError> {
        let (least, most) = self.limits();
        if range == "*" {
            // Sunday once.
            return Ok((least, if self == Self::Weekday { 6 } else { most }));
        }
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        let (low, mut high) = (self.value(low)?, self.value(high)?);
        if self == Self::Weekday && high == 0 && low > 0 {
            // `fri-sun`
            high = 7;
        }
        Ok((low, high))
    }

    fn value(self, text: &str) -> Result<u8, FieldError> {
        let (least, most) = self.limits();
        let named = |names: &[&str], first: u8| {
            let at = names.iter().position(|n| n.eq_ignore_ascii_case(text))?;
            u8::try_from(at).ok()?.checked_add(first)
        };
        let name = match self {
            Self::Month => named(&MONTHS, 1),
            Self::Weekday => named(&DAYS, 0),
            Self::Minute | Self::Hour | Self::Day => None,
        };
        let value = name.or_else(|| number(text)).filter(|v| (least..=most).contains(v));
        value.ok_or(FieldError::Value)
    }

    fn limits(self) -> (u8, u8) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::Day => (1, 31),
            Self::Month => (1, 12),
            Self::Weekday => (0, 7),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Weekday => "weekday",
        })
    }
}

/// Digits only: `parse` would take a sign.
fn number(text: &str) -> Option<u8> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn has(values: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|v| values >> v & 1 == 1)
}

fn listed(values: u64) -> Vec<i8> {
    (0..60).filter(|v| has(values, *v)).collect()
}

fn days_between(from: Date, to: Date) -> i32 {
    from.until(to).map_or(i32::MAX, |span| span.get_days())
}
