//! Parameters and profiles of a package: their names, and that what the package itself says of them is valid.

use std::collections::{BTreeMap, BTreeSet};

use super::refusal::{Problems, shown};
use crate::{
    model::{PackageSpec, Parameter, ParameterType, Validator},
    package::{Checks, is_parameter_name},
};

/// Most parameters, and most profiles.
const MAX: usize = 256;
/// Names that the planner fills in itself.
const RESERVED: &str = "cairn.";

pub(super) fn check(spec: &PackageSpec, problems: &mut Problems) {
    if spec.parameters.len() > MAX || spec.profiles.len() > MAX {
        let message =
            format!("{} parameters and {} profiles are too many", spec.parameters.len(), spec.profiles.len());
        problems.invalid("spec.parameters", message, format!("keep to {MAX} each"));
        return;
    }
    let mut known: BTreeMap<&str, Checks> = BTreeMap::new();
    for (at, parameter) in spec.parameters.iter().enumerate() {
        let field = format!("spec.parameters[{at}]");
        check_name(&format!("{field}.name"), &parameter.name, problems);
        let checks = Checks::of(parameter);
        check_one(&field, parameter, &checks, problems);
        if known.insert(&parameter.name, checks).is_some() {
            let message = format!("{} is there twice", shown(&parameter.name));
            problems.invalid(format!("{field}.name"), message, "give each parameter a name of its own");
        }
    }
    check_profiles(spec, &known, problems);
}

fn check_name(field: &str, name: &str, problems: &mut Problems) {
    if !is_parameter_name(name) {
        let message = format!("{:?} cannot be the name of a parameter", shown(name));
        problems.invalid(field, message, "write 1 to 63 letters, digits, '_', '.', '-'");
    } else if name.starts_with(RESERVED) {
        let message = format!("{} is filled in by Cairn", shown(name));
        problems.invalid(field, message, format!("choose a name that does not begin with {RESERVED}"));
    }
}

fn check_one(field: &str, parameter: &Parameter, checks: &Checks, problems: &mut Problems) {
    if !checks.is_readable() {
        let message = "is no regular expression, or one that would cost too much";
        problems.invalid(
            format!("{field}.validator.pattern"),
            message,
            "write one as of the Rust crate regex",
        );
        return;
    }
    if let Some(word) = useless(parameter.r#type, &parameter.validator) {
        let message = format!("means nothing for a parameter of type {:?}", parameter.r#type).to_lowercase();
        problems.invalid(format!("{field}.validator.{word}"), message, "leave it out");
    }
    if parameter.r#type == ParameterType::Secret && parameter.default.is_some() {
        let message = "a secret has no default";
        problems.invalid(
            format!("{field}.default"),
            message,
            "leave it out; the deployment names the secret",
        );
        return;
    }
    if let Some(Err(error)) = parameter.default.as_ref().map(|value| checks.check(value)) {
        problems.invalid(format!("{field}.default"), error.to_string(), "write a default that is valid");
    }
    for (at, value) in parameter.suggested.iter().enumerate().take(MAX) {
        if let Err(error) = checks.check(value) {
            problems.invalid(format!("{field}.suggested[{at}]"), error.to_string(), "suggest what is valid");
        }
    }
}

/// What of a validator does not concern the type.
fn useless(of: ParameterType, validator: &Validator) -> Option<&'static str> {
    let text = matches!(of, ParameterType::String | ParameterType::Secret);
    let number = matches!(of, ParameterType::Integer | ParameterType::Number);
    match validator {
        Validator { pattern: Some(_), .. } if !text => Some("pattern"),
        Validator { minimum: Some(_), .. } if !number => Some("minimum"),
        Validator { maximum: Some(_), .. } if !number => Some("maximum"),
        _ => None,
    }
}

fn check_profiles(spec: &PackageSpec, known: &BTreeMap<&str, Checks>, problems: &mut Problems) {
    let mut names = BTreeSet::new();
    for (at, profile) in spec.profiles.iter().enumerate() {
        let field = format!("spec.profiles[{at}]");
        check_name(&format!("{field}.name"), &profile.name, problems);
        if !names.insert(profile.name.as_str()) {
            let message = format!("{} is there twice", shown(&profile.name));
            problems.invalid(format!("{field}.name"), message, "give each profile a name of its own");
        }
        for (name, value) in &profile.parameters {
            let field = format!("{field}.parameters.{}", shown(name));
            match known.get(name.as_str()).map(|checks| checks.check(value)) {
                Some(Ok(())) => {}
                Some(Err(error)) => problems.invalid(field, error.to_string(), "write a value that is valid"),
                None => problems.not_found(
                    field,
                    "the package has no such parameter",
                    "name one of spec.parameters",
                ),
            }
        }
    }
}
