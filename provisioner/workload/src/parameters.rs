//! Which value each parameter has for one target: default, then profile, then deployment, then overrides.

use std::collections::BTreeMap;

use cairn_contract::workload::placeholder;
use cairn_domain::{
    model::{Parameter, ParameterType, Uid},
    nearest::nearest,
    package::SecretRef,
};
use serde_json::Value;

use crate::{Problem, catalog::Entry};

/// By name.
pub(crate) type Values = BTreeMap<String, Value>;

/// One place where values come from, with the path of the field that holds them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'g> {
    pub(crate) field: &'g str,
    pub(crate) values: &'g Values,
}

/// All values, later ones of `given` before earlier ones.
pub(crate) fn resolve(
    entry: &Entry<'_>,
    profile: Option<&str>,
    given: &[Given<'_>],
) -> Result<Values, Problem> {
    let spec = entry.spec;
    let mut out = Values::new();
    for parameter in &spec.parameters {
        if let Some(default) = &parameter.default {
            out.insert(parameter.name.clone(), default.clone());
        }
    }
    if let Some(name) = profile {
        let found = spec.profiles.iter().find(|p| p.name == name).ok_or_else(|| no_profile(entry, name))?;
        let field = format!("spec.profile {name}: parameters");
        take(entry, Given { field: &field, values: &found.parameters }, &mut out)?;
    }
    for one in given {
        take(entry, *one, &mut out)?;
    }
    for parameter in spec.parameters.iter().filter(|p| p.mandatory) {
        let empty = out.get(&parameter.name).is_none_or(|v| v.is_null() || v.as_str() == Some(""));
        if empty {
            let message = format!("is missing; {} {} cannot do without it", spec.package, spec.version);
            let field = format!("spec.parameters.{}", parameter.name);
            return Err(Problem::new("ParameterMissing", field, message));
        }
    }
    Ok(out)
}

fn take(entry: &Entry<'_>, given: Given<'_>, out: &mut Values) -> Result<(), Problem> {
    for (name, value) in given.values {
        let field = || format!("{}.{name}", given.field);
        let Some(checks) = entry.checks().get(name.as_str()) else {
            return Err(Problem::new("ParameterUnknown", field(), unknown(entry, name)));
        };
        checks.check(value).map_err(|error| {
            let message = format!("{error}; write another value, or leave it out");
            Problem::new("ParameterInvalid", field(), message)
        })?;
        out.insert(name.clone(), value.clone());
    }
    Ok(())
}

fn unknown(entry: &Entry<'_>, name: &str) -> String {
    let known: Vec<&str> = entry.spec.parameters.iter().map(|p| p.name.as_str()).collect();
    let (package, version) = (&entry.spec.package, &entry.spec.version);
    match nearest(name, &known) {
        Some(near) => format!("{package} {version} has no such parameter; did you mean {near}?"),
        None if known.is_empty() => format!("{package} {version} has no parameters; leave it out"),
        None => format!("{package} {version} has no such parameter; there are {}", known.join(", ")),
    }
}

fn no_profile(entry: &Entry<'_>, name: &str) -> Problem {
    let known: Vec<&str> = entry.spec.profiles.iter().map(|p| p.name.as_str()).collect();
    let (package, version) = (&entry.spec.package, &entry.spec.version);
    let message = match known.is_empty() {
        true => format!("{package} {version} has no profiles; leave it out"),
        false => format!("{package} {version} has no profile {name}; there are {}", known.join(", ")),
    };
    Problem::new("ProfileUnknown", "spec.profile", message)
}

/// Values as text: a secret's is its placeholder; one that nobody gave is empty.
pub(crate) fn texts(entry: &Entry<'_>, subject: Uid, values: &Values) -> BTreeMap<String, String> {
    let text = |parameter: &Parameter| match (parameter.r#type, values.get(&parameter.name)) {
        (_, None | Some(Value::Null)) => String::new(),
        (ParameterType::Secret, Some(_)) => placeholder(subject.0, &parameter.name),
        (_, Some(Value::String(text))) => text.clone(),
        (_, Some(value)) => value.to_string(),
    };
    entry.spec.parameters.iter().map(|p| (p.name.clone(), text(p))).collect()
}

/// Placeholder -> where its value is.
pub(crate) fn secrets(entry: &Entry<'_>, subject: Uid, values: &Values) -> BTreeMap<String, SecretRef> {
    let secret = |p: &&Parameter| p.r#type == ParameterType::Secret;
    let one = |p: &Parameter| {
        let at = SecretRef::read(values.get(&p.name)?.as_str()?)?;
        Some((placeholder(subject.0, &p.name), at))
    };
    entry.spec.parameters.iter().filter(secret).filter_map(one).collect()
}
