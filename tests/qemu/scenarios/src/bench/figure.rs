//! One number with its target.

use serde::Serialize;

/// What is wanted of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// It is for comparison only.
    None,
    /// At most so much.
    AtMost(f64),
    /// Less than that.
    Below(f64),
}

/// A number that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// Such as `<= 0.7`.
    pub(crate) target: Option<String>,
    /// Absent without a target.
    pub(crate) met: Option<bool>,
    /// All values, when `value` is the middle one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) values: Vec<f64>,
}

impl Figure {
    /// A number and what is wanted of it.
    pub(crate) fn new(name: &'static str, value: f64, unit: &'static str, target: Target) -> Self {
        let (shown, met) = match target {
            Target::None => (None, None),
            Target::AtMost(limit) => (Some(format!("<= {limit}")), Some(value <= limit)),
            Target::Below(limit) => (Some(format!("< {limit}")), Some(value < limit)),
        };
        Self { name, value: rounded(value), unit, target: shown, met, values: Vec::new() }
    }

    /// With all the values behind it.
    pub(crate) fn with_values(mut self, values: Vec<f64>) -> Self {
        self.values = values.into_iter().map(rounded).collect();
        self
    }

    /// For people.
    pub(crate) fn line(&self) -> String {
        let value =
            if self.value < 100.0 { format!("{:.2}", self.value) } else { format!("{:.0}", self.value) };
        let verdict = match self.met {
            None => "",
            Some(true) => "met",
            Some(false) => "MISSED",
        };
        let target = self.target.as_deref().unwrap_or_default();
        let line = format!("  {:<46} {value:>12} {:<5} {target:<12} {verdict}", self.name, self.unit);
        line.trim_end().to_owned()
    }
}

/// Three decimals: more are noise.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The middle value, or the mean of the two in the middle; 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { at(middle) } else { f64::midpoint(at(middle.saturating_sub(1)), at(middle)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_values_in_any_order() {
        assert_eq!([median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0]), median(&[])], [2.0, 2.5, 0.0]);
    }

    #[test]
    fn a_figure_says_whether_its_target_is_met() {
        let met = |value, target| Figure::new("x", value, "s", target).met;
        assert_eq!(met(0.7, Target::AtMost(0.7)), Some(true));
        assert_eq!(met(0.71, Target::AtMost(0.7)), Some(false));
        assert_eq!(met(25.0, Target::Below(25.0)), Some(false));
        assert_eq!(met(1.0, Target::None), None);
        assert!(Figure::new("x", 0.8, "", Target::AtMost(0.7)).line().ends_with("<= 0.7       MISSED"));
    }
}
