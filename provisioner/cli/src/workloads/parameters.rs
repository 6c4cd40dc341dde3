//! Packages by name and version, and what `--set` means by the types of their parameters.

use cairn_domain::model::Kind;
use serde_json::{Map, Value};

use super::is_above;
use crate::{
    context::Session,
    exit::Failure,
    listing::{self, Query},
    target::text,
};

/// The version of a package that a deployment in `namespace` would get: the one that is named, else the newest.
pub(super) async fn package(
    session: &Session,
    (name, version): (&str, Option<&str>),
    namespace: &str,
) -> Result<Value, Failure> {
    let all = listing::list(&session.client, Kind::Package, &Query::default()).await?.items;
    let here = |p: &&Value| is_above(text(p, "/metadata/namespace"), namespace);
    let mut named: Vec<&Value> =
        all.iter().filter(here).filter(|p| text(p, "/spec/package") == name).collect();
    named.sort_by_key(|p| numbers(text(p, "/spec/version")));
    let Some(newest) = named.last() else {
        let names: Vec<&str> = all.iter().filter(here).map(|p| text(p, "/spec/package")).collect();
        let next = match cairn_domain::nearest::nearest(name, &names) {
            Some(near) => format!("Did you mean {near}? All: cairn package ls"),
            None => "Make it: cairn package push FILE. Which there are: cairn package ls".to_owned(),
        };
        let shown = cairn_domain::fact::plain(name, 80);
        return Err(Failure {
            code: 3,
            ..Failure::new(format!("there is no package {shown} for {namespace}"), next)
        });
    };
    let Some(version) = version else { return Ok(Value::clone(newest)) };
    let found = named.iter().find(|p| text(p, "/spec/version") == version);
    found.map(|p| Value::clone(p)).ok_or_else(|| {
        let versions: Vec<&str> = named.iter().map(|p| text(p, "/spec/version")).collect();
        let shown = cairn_domain::fact::plain(version, 40);
        let text = format!("package {name} has no version {shown}");
        Failure { code: 3, ..Failure::new(text, format!("There are: {}", versions.join(", "))) }
    })
}

/// Three numbers, for order; what is none of it comes first.
fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

/// `--set` and `--secret` as a deployment's parameters.
pub(super) fn parameters(
    package: &Value,
    set: &[String],
    secrets: &[String],
) -> Result<Map<String, Value>, Failure> {
    let mut out = Map::new();
    for word in set {
        let (key, value) = split(word, "--set")?;
        let kind = kind_of(package, key)?;
        if kind == "secret" {
            return Err(Failure::usage(
                format!("parameter {key} is a secret: its value is no word of a command line"),
                format!("Keep it: cairn secret set NAME KEY --from-stdin; then --secret {key}=NAME/KEY"),
            ));
        }
        out.insert(key.to_owned(), typed(key, value, kind)?);
    }
    for word in secrets {
        let (key, value) = split(word, "--secret")?;
        kind_of(package, key)?;
        if value.split('/').filter(|part| !part.is_empty()).count() != 2 {
            let text = format!("{value:?} does not name a value of a secret");
            return Err(Failure::usage(
                text,
                format!("Write --secret {key}=SECRET/KEY. Which there are: cairn secret ls"),
            ));
        }
        out.insert(key.to_owned(), value.into());
    }
    Ok(out)
}

fn split<'a>(word: &'a str, flag: &str) -> Result<(&'a str, &'a str), Failure> {
    word.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
        let shown = cairn_domain::fact::plain(word, 60);
        Failure::usage(format!("{flag} {shown} is not KEY=VALUE"), format!("Such as {flag} replicas=3"))
    })
}

/// The type of a parameter of the package.
fn kind_of<'a>(package: &'a Value, key: &str) -> Result<&'a str, Failure> {
    let all = package.pointer("/spec/parameters").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if let Some(found) = all.iter().find(|p| text(p, "/name") == key) {
        return Ok(Some(text(found, "/type")).filter(|t| !t.is_empty()).unwrap_or("string"));
    }
    let names: Vec<&str> = all.iter().map(|p| text(p, "/name")).collect();
    let next = match cairn_domain::nearest::nearest(key, &names) {
        Some(near) => format!("Did you mean {near}?"),
        None if names.is_empty() => "It has none.".to_owned(),
        None => format!("It has: {}", names.join(", ")),
    };
    let (name, version) = (text(package, "/spec/package"), text(package, "/spec/version"));
    let key = cairn_domain::fact::plain(key, 80);
    Err(Failure::usage(format!("package {name} {version} has no parameter {key}"), next))
}

fn typed(key: &str, value: &str, kind: &str) -> Result<Value, Failure> {
    let parsed = match kind {
        "integer" => value.parse::<i64>().ok().map(Value::from),
        "number" => value.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
        "boolean" => value.parse::<bool>().ok().map(Value::from),
        _ => Some(Value::from(value)),
    };
    parsed.ok_or_else(|| {
        let what = match kind {
            "integer" => "a whole number",
            "boolean" => "true or false",
            _ => "a number",
        };
        let shown = cairn_domain::fact::plain(value, 60);
        Failure::usage(format!("parameter {key} is {what}, not {shown:?}"), "Write it so.")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package() -> Value {
        json!({"spec": {"package": "shop", "version": "1.0.0", "parameters": [
            {"name": "tag"}, {"name": "replicas", "type": "integer"}, {"name": "debug", "type": "boolean"},
            {"name": "share", "type": "number"}, {"name": "password", "type": "secret"}]}})
    }

    fn set(words: &[&str], secrets: &[&str]) -> Result<Value, String> {
        let own = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let made = parameters(&package(), &own(words), &own(secrets));
        made.map(Value::Object).map_err(|e| format!("{} | {}", e.text, e.next))
    }

    #[test]
    fn values_are_of_the_parameters_type() {
        let made = set(&["tag=1.10", "replicas=3", "debug=true", "share=0.5"], &["password=db/admin"]);
        let want = json!({"tag": "1.10", "replicas": 3, "debug": true, "share": 0.5, "password": "db/admin"});
        assert_eq!(made, Ok(want));
    }

    #[test]
    fn a_slip_says_what_was_meant() {
        for (words, secrets, want) in [
            (vec!["replica=3"], vec![], "has no parameter replica | Did you mean replicas?"),
            (vec!["replicas=three"], vec![], "parameter replicas is a whole number, not \"three\""),
            (vec!["tag"], vec![], "--set tag is not KEY=VALUE"),
            (vec!["password=x"], vec![], "cairn secret set NAME KEY --from-stdin"),
            (vec![], vec!["password=db"], "Write --secret password=SECRET/KEY"),
        ] {
            let said = set(&words, &secrets).unwrap_err();
            assert!(said.contains(want), "{said}");
        }
    }

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        assert!(numbers("1.10.0") > numbers("1.9.9"));
        assert!(numbers("2.0.0") > numbers("1.99.99"));
    }
}
