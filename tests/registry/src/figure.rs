//! One number with its target, in the form of the API's bench (tests/api), and the middle of many.

use serde::Serialize;

/// What is wanted of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// It is for comparison only.
    None,
    /// So much or more.
    AtLeast(f64),
    /// Less than that.
    Below(f64),
}

/// A number that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// Such as `>= 1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    /// Absent without a target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) met: Option<bool>,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str, target: Target) -> Self {
        let (target, met) = match target {
            Target::None => (None, None),
            Target::AtLeast(limit) => (Some(format!(">= {limit}")), Some(value >= limit)),
            Target::Below(limit) => (Some(format!("< {limit}")), Some(value < limit)),
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

/// The middle one; 0 of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_says_whether_its_target_is_met() {
        let met = |value, target| Figure::new("x", value, "x", target).met;
        assert_eq!(met(1.0, Target::AtLeast(1.0)), Some(true));
        assert_eq!(met(0.9, Target::AtLeast(1.0)), Some(false));
        assert_eq!(met(0.9, Target::Below(0.9)), Some(false));
        assert_eq!(met(0.9, Target::None), None);
        assert!(Figure::new("x", 0.5, "x", Target::AtLeast(1.0)).line().ends_with("MISSED"));
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![]), 0.0);
    }
}
