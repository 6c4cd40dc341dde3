//! One number with its target, and the percentiles of many.

use std::time::Duration;

use serde::Serialize;

/// What is wanted of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// It is for comparison only.
    None,
    /// Less than that.
    Below(f64),
    /// So much or more.
    AtLeast(f64),
}

/// A number that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// Such as `< 10`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    /// Absent without a target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) met: Option<bool>,
}

impl Figure {
    /// A number and what is wanted of it.
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str, target: Target) -> Self {
        let (target, met) = match target {
            Target::None => (None, None),
            Target::Below(limit) => (Some(format!("< {limit}")), Some(value < limit)),
            Target::AtLeast(limit) => (Some(format!(">= {limit}")), Some(value >= limit)),
        };
        Self { name: name.into(), value: (value * 1000.0).round() / 1000.0, unit, target, met }
    }

    /// For people.
    pub(crate) fn line(&self) -> String {
        let verdict = match self.met {
            None => "",
            Some(true) => "met",
            Some(false) => "MISSED",
        };
        let target = self.target.as_deref().unwrap_or_default();
        let line = format!("  {:<58} {:>10.2} {:<5} {target:<9} {verdict}", self.name, self.value, self.unit);
        line.trim_end().to_owned()
    }
}

/// Times, in the order of their length.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// Milliseconds that so many hundredths of them do not exceed (nearest rank); 0 of none.
    pub(crate) fn percentile(&self, hundredths: usize) -> f64 {
        let rank = (self.0.len() * hundredths).div_ceil(100).max(1);
        self.0.get(rank - 1).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    }

    /// The middle one and the 99th percentile, of which the latter has a target.
    pub(crate) fn figures(&self, name: &str, target: Target) -> [Figure; 2] {
        [
            Figure::new(format!("{name}, p50"), self.percentile(50), "ms", Target::None),
            Figure::new(format!("{name}, p99"), self.percentile(99), "ms", target),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let times = Times::new((1..=100).rev().map(Duration::from_millis).collect());
        assert_eq!([times.percentile(50), times.percentile(99), times.percentile(100)], [50.0, 99.0, 100.0]);
        assert_eq!(Times::new(vec![Duration::from_millis(7)]).percentile(99), 7.0);
        assert_eq!(Times::default().percentile(99), 0.0);
    }

    #[test]
    fn a_figure_says_whether_its_target_is_met() {
        let met = |value, target| Figure::new("x", value, "ms", target).met;
        assert_eq!(met(9.9, Target::Below(10.0)), Some(true));
        assert_eq!(met(10.0, Target::Below(10.0)), Some(false));
        assert_eq!(met(2000.0, Target::AtLeast(2000.0)), Some(true));
        assert_eq!(met(1.0, Target::None), None);
        assert!(Figure::new("x", 11.0, "ms", Target::Below(10.0)).line().ends_with("< 10      MISSED"));
    }
}
