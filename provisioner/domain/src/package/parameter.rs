//! Whether a value can be that of a parameter: its type, then its validator.

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::model::{Parameter, ParameterType, Validator};

/// Most bytes that a validator's automaton may take: a short pattern can ask for gigabytes (`\w{1000}{1000}`).
const REGEX_BYTES: usize = 1 << 20;
/// Longest text of a parameter, in bytes.
const MAX_TEXT: usize = 64 << 10;

/// Why a value cannot be that of a parameter, as a sentence fragment.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ValueError {
    /// Of another type.
    #[error("is not {0}")]
    Type(&'static str),
    /// Too long.
    #[error("is longer than {MAX_TEXT} bytes")]
    Long,
    /// Not as the pattern says.
    #[error("does not match the pattern {0}")]
    Pattern(String),
    /// Too small.
    #[error("is less than {0}")]
    Less(f64),
    /// Too large.
    #[error("is more than {0}")]
    More(f64),
    /// None of the allowed ones.
    #[error("is none of {0}")]
    NoneOf(String),
    /// The pattern itself cannot be read.
    #[error("cannot be checked: its validator's pattern cannot be read")]
    BadPattern,
}

/// Where the value of a secret parameter is: `SECRET/KEY`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretRef {
    /// Name of a Secret of the deployment's project.
    pub secret: String,
    /// Key in it.
    pub key: String,
}

impl SecretRef {
    /// Reads `SECRET/KEY`.
    pub fn read(text: &str) -> Option<Self> {
        let (secret, key) = text.split_once('/')?;
        let ok = crate::name::check(secret).is_ok() && is_parameter_name(key);
        ok.then(|| Self { secret: secret.to_owned(), key: key.to_owned() })
    }
}

/// Whether a parameter, a profile or a key of a secret can have this name: 1 to 63 letters, digits, `_`, `.`, `-`.
pub fn is_parameter_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    (1..=63).contains(&name.len()) && name.bytes().all(allowed)
}

/// The checks of one parameter, its pattern read once.
#[derive(Debug, Clone)]
pub struct Checks {
    r#type: ParameterType,
    validator: Validator,
    pattern: Option<Result<Regex, ()>>,
}

impl Checks {
    /// Of a parameter.
    pub fn of(parameter: &Parameter) -> Self {
        let pattern = parameter.validator.pattern.as_deref().map(|p| read(p).ok_or(()));
        Self { r#type: parameter.r#type, validator: parameter.validator.clone(), pattern }
    }

    /// Whether its pattern can be read.
    pub fn is_readable(&self) -> bool {
        !matches!(self.pattern, Some(Err(())))
    }

    /// Whether it can have this value.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self, value: &Value) -> Result<(), ValueError> {
        self.check_type(value)?;
        if let Some(text) = value.as_str() {
            self.check_text(text)?;
        }
        if let Some(number) = value.as_f64() {
            check_range(&self.validator, number)?;
        }
        let one_of = &self.validator.one_of;
        if !one_of.is_empty() && !one_of.contains(value) {
            let listed: Vec<String> = one_of.iter().take(10).map(ToString::to_string).collect();
            return Err(ValueError::NoneOf(listed.join(", ")));
        }
        Ok(())
    }

    fn check_type(&self, value: &Value) -> Result<(), ValueError> {
        let (holds, words) = match self.r#type {
            ParameterType::String => (value.is_string(), "text"),
            ParameterType::Integer => (value.is_i64() || value.is_u64(), "a whole number"),
            ParameterType::Number => (value.is_number(), "a number"),
            ParameterType::Boolean => (value.is_boolean(), "true or false"),
            ParameterType::Secret => (
                value.as_str().is_some_and(|t| SecretRef::read(t).is_some()),
                "the name of a secret and its key, SECRET/KEY",
            ),
        };
        if holds { Ok(()) } else { Err(ValueError::Type(words)) }
    }

    fn check_text(&self, text: &str) -> Result<(), ValueError> {
        if text.len() > MAX_TEXT {
            return Err(ValueError::Long);
        }
        match &self.pattern {
            Some(Ok(pattern)) if !pattern.is_match(text) => {
                Err(ValueError::Pattern(self.validator.pattern.clone().unwrap_or_default()))
            }
            Some(Err(())) => Err(ValueError::BadPattern),
            Some(Ok(_)) | None => Ok(()),
        }
    }
}

fn check_range(validator: &Validator, number: f64) -> Result<(), ValueError> {
    match (validator.minimum, validator.maximum) {
        (Some(minimum), _) if number < minimum => Err(ValueError::Less(minimum)),
        (_, Some(maximum)) if number > maximum => Err(ValueError::More(maximum)),
        _ => Ok(()),
    }
}

/// Matches the whole text only.
fn read(pattern: &str) -> Option<Regex> {
    // Read alone first: `a)|(b` would be something else between the brackets.
    let build = |text: &str| RegexBuilder::new(text).size_limit(REGEX_BYTES).build().ok();
    build(pattern)?;
    build(&format!(r"\A(?:{pattern})\z"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn said(parameter: Value, value: Value) -> String {
        let parameter: Parameter = serde_json::from_value(parameter).unwrap();
        Checks::of(&parameter).check(&value).map_or_else(|e| e.to_string(), |()| "ok".to_owned())
    }

    #[test]
    fn types_and_validators_are_held_to() {
        for (parameter, value, expected) in [
            (json!({"name": "a"}), json!("x"), "ok"),
            (json!({"name": "a"}), json!(1), "is not text"),
            (json!({"name": "a", "type": "integer"}), json!(1.5), "is not a whole number"),
            (
                json!({"name": "a", "type": "integer", "validator": {"minimum": 2.0}}),
                json!(1),
                "is less than 2",
            ),
            (
                json!({"name": "a", "type": "number", "validator": {"maximum": 2.5}}),
                json!(3),
                "is more than 2.5",
            ),
            (json!({"name": "a", "type": "boolean"}), json!("true"), "is not true or false"),
            (json!({"name": "a", "type": "secret"}), json!("db/password"), "ok"),
            (
                json!({"name": "a", "type": "secret"}),
                json!("hunter2"),
                "is not the name of a secret and its key, SECRET/KEY",
            ),
            (json!({"name": "a", "validator": {"pattern": "[a-z]+"}}), json!("abc"), "ok"),
            (
                json!({"name": "a", "validator": {"pattern": "[a-z]+"}}),
                json!("abc1"),
                "does not match the pattern [a-z]+",
            ),
            (
                json!({"name": "a", "validator": {"pattern": "a|b"}}),
                json!("ab"),
                "does not match the pattern a|b",
            ),
            (json!({"name": "a", "validator": {"oneOf": ["x", "y"]}}), json!("z"), "is none of \"x\", \"y\""),
        ] {
            assert_eq!(said(parameter.clone(), value), expected, "{parameter}");
        }
    }

    #[test]
    fn hostile_patterns_are_refused_and_cost_little() {
        for pattern in ["(", "a)|(b", r"\w{1000}{1000}", "((((a{99}){99}){99}){99})"] {
            let parameter = json!({"name": "a", "validator": {"pattern": pattern}});
            let parameter: Parameter = serde_json::from_value(parameter).unwrap();
            assert!(!Checks::of(&parameter).is_readable(), "{pattern}");
        }
    }
}
