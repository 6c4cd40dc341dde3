//! `cairn explain`: where a node's values come from, or which fields a kind has.

use cairn_domain::{
    access::{BUILTIN, builtin},
    fact::plain,
    model::Kind,
};
use serde_json::Value;

use crate::{
    Context,
    exit::Failure,
    show::{self, words::Tone},
    target::{self, Target, text},
};

/// References that are followed for one schema.
const MAX_REFERENCES: usize = 16;

/// `cairn explain`
pub(crate) async fn run(cx: &mut Context, words: &[String]) -> Result<(), Failure> {
    match words {
        [kind] if !kind.contains('/') => fields(cx, kind).await,
        words => {
            for target in target::targets(words)? {
                effective(cx, &target).await?;
            }
            Ok(())
        }
    }
}

async fn effective(cx: &mut Context, target: &Target) -> Result<(), Failure> {
    if !target.kind.is_node() {
        let text = format!("a {} inherits nothing", target.kind.name());
        let next = format!(
            "Its fields: cairn explain {}; what it says: cairn describe {} NAME",
            target.kind.plural(),
            target.kind.plural()
        );
        return Err(Failure::usage(text, next));
    }
    let session = cx.session()?;
    let key = target.key(&session.client, session.namespace()).await?;
    let answer: Value = session.client.get(&format!("{}/effective", target::path(target.kind, &key))).await?;
    if cx.value(&answer)? {
        return Ok(());
    }
    let words = cx.words();
    cx.line(&show::effective::effective(&answer, &words))
}

async fn fields(cx: &mut Context, word: &str) -> Result<(), Failure> {
    let mut path = word.split('.');
    let kind = target::kind(path.next().unwrap_or_default())?;
    let document: Value = cx.client()?.get("/api/v1/openapi.json").await?;
    let (mut schema, mut walked) = (kind_schema(&document, kind)?, String::new());
    for name in path {
        schema = property(&document, schema, name)
            .ok_or_else(|| no_field(&document, (kind, &walked), (schema, name)))?;
        walked = format!("{walked}.{name}");
    }
    if cx.value(schema)? {
        return Ok(());
    }
    let words = cx.words();
    let head = format!(
        "{}{walked} {}",
        kind.name(),
        words.paint(&format!("<{}>", type_of(&document, schema)), Tone::Busy)
    );
    cx.line(&head)?;
    let about = about(&document, schema);
    if !about.is_empty() {
        cx.line(&format!("  {about}"))?;
    }
    let mut all = properties(&document, schema);
    // Answers to a dry run have it; nobody writes it.
    all.retain(|(name, _)| !walked.is_empty() || *name != "affected");
    if !all.is_empty() {
        cx.line("fields")?;
    }
    let width = all.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    for (name, inner) in all {
        let kind_word = words.paint(&format!("<{}>", type_of(&document, inner)), Tone::Busy);
        cx.line(format!("  {name:<width$}  {kind_word}  {}", self::about(&document, inner)).trim_end())?;
    }
    if walked.is_empty() {
        cx.line(&format!("Further down: cairn explain {}.spec", kind.name().to_ascii_lowercase()))?;
    }
    if kind == Kind::Role && walked.is_empty() {
        builtin_roles(cx)?;
    }
    Ok(())
}

/// They are no resources, so that no list shows them.
fn builtin_roles(cx: &mut Context) -> Result<(), Failure> {
    cx.line("built in")?;
    for name in BUILTIN {
        let about = builtin(name).map(|role| role.description).unwrap_or_default();
        cx.line(&format!("  {name:<14}  {about}"))?;
    }
    Ok(())
}

fn kind_schema(document: &Value, kind: Kind) -> Result<&Value, Failure> {
    let schemas = document.pointer("/components/schemas");
    let names =
        [kind.name().to_owned(), format!("{}Resource", kind.name()), format!("{}Object", kind.name())];
    let found = names.iter().find_map(|n| schemas?.get(n));
    found.ok_or_else(|| {
        Failure::new(
            format!("the server's openapi.json does not describe {}", kind.name()),
            "Use the `cairn` of the server's version.",
        )
    })
}

fn no_field(document: &Value, (kind, walked): (Kind, &str), (schema, name): (&Value, &str)) -> Failure {
    let known: Vec<&str> = properties(document, schema).into_iter().map(|(n, _)| n).collect();
    let next = match cairn_domain::nearest::nearest(name, &known) {
        Some(near) => format!("Did you mean {}{walked}.{near}?", kind.plural()),
        None => format!("See which there are: cairn explain {}{walked}", kind.plural()),
    };
    Failure {
        code: 3,
        ..Failure::new(format!("{}{walked} has no field {}", kind.name(), plain(name, 60)), next)
    }
}

/// Follows references, and what may be null to what it is otherwise.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..MAX_REFERENCES {
        let next = if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer))
        } else {
            let members = ["anyOf", "oneOf", "allOf"].into_iter().find_map(|m| schema.get(m)?.as_array());
            let real = members
                .into_iter()
                .flatten()
                .filter(|s| s.get("type").and_then(Value::as_str) != Some("null"));
            let real: Vec<&Value> = real.collect();
            if let ([one], None) = (real.as_slice(), schema.get("properties")) { Some(*one) } else { None }
        };
        match next {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

/// Of an object, or of the items of a list of them.
fn properties<'a>(document: &'a Value, schema: &'a Value) -> Vec<(&'a str, &'a Value)> {
    let mut schema = resolve(document, schema);
    if let Some(items) = schema.get("items") {
        schema = resolve(document, items);
    }
    let own = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    own.map(|(name, inner)| (name.as_str(), inner)).collect()
}

fn property<'a>(document: &'a Value, schema: &'a Value, name: &str) -> Option<&'a Value> {
    properties(document, schema).into_iter().find(|(n, _)| *n == name).map(|(_, inner)| inner)
}

fn type_of(document: &Value, schema: &Value) -> String {
    let schema = resolve(document, schema);
    let word = match schema.get("type") {
        Some(Value::String(one)) => one.clone(),
        Some(Value::Array(several)) => {
            let words = several.iter().filter_map(Value::as_str).filter(|w| *w != "null");
            words.collect::<Vec<_>>().join(" or ")
        }
        _ if schema.get("properties").is_some() => "object".to_owned(),
        _ => "any".to_owned(),
    };
    if let Some(items) = schema.get("items") {
        return format!("list of {}", type_of(document, items));
    }
    if let Some(only) = schema.get("const").and_then(Value::as_str) {
        return plain(only, 60);
    }
    let choices = choices(schema);
    match (choices.is_empty(), schema.get("additionalProperties")) {
        (false, _) => choices.join("|"),
        (true, Some(inner)) if inner.is_object() => format!("map of {}", type_of(document, inner)),
        (true, _) => word,
    }
}

fn choices(schema: &Value) -> Vec<String> {
    let own = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let each =
        schema.get("oneOf").and_then(Value::as_array).into_iter().flatten().filter_map(|s| s.get("const"));
    own.chain(each).filter_map(Value::as_str).map(|t| plain(t, 60)).collect()
}

/// One line.
fn about(document: &Value, schema: &Value) -> String {
    let own = text(schema, "/description");
    let said = if own.is_empty() { text(resolve(document, schema), "/description") } else { own };
    plain(&said.split_whitespace().collect::<Vec<_>>().join(" "), 300)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({"components": {"schemas": {
            "Site": {"type": "object", "description": "A place.", "properties": {
                "spec": {"$ref": "#/components/schemas/SiteSpec"}, "kind": {"type": "string"}}},
            "SiteSpec": {"type": "object", "properties": {
                "region": {"type": ["string", "null"], "description": "Where\n it lies."},
                "mode": {"anyOf": [{"$ref": "#/components/schemas/Mode"}, {"type": "null"}]},
                "settings": {"type": "object", "additionalProperties": {"type": "string"}},
                "windows": {"type": "array", "items": {"$ref": "#/components/schemas/Window"}}}},
            "Window": {"type": "object", "properties": {"start": {"type": "string"}}},
            "Mode": {"enum": ["a", "b"], "description": "How."},
            "Loop": {"$ref": "#/components/schemas/Loop"}}}})
    }

    #[test]
    fn fields_are_found_through_references_and_lists() {
        let document = document();
        let site = kind_schema(&document, Kind::Site).unwrap();
        let spec = property(&document, site, "spec").unwrap();
        let of = |name: &str| property(&document, spec, name).unwrap();
        assert_eq!(type_of(&document, of("region")), "string");
        assert_eq!(about(&document, of("region")), "Where it lies.");
        assert_eq!(
            (type_of(&document, of("mode")).as_str(), about(&document, of("mode")).as_str()),
            ("a|b", "How.")
        );
        assert_eq!(type_of(&document, of("settings")), "map of string");
        assert_eq!(type_of(&document, of("windows")), "list of object");
        assert!(property(&document, of("windows"), "start").is_some());
        let failure = no_field(&document, (Kind::Site, ".spec"), (spec, "regoin"));
        assert_eq!(failure.next, "Did you mean sites.spec.region?");
    }

    #[test]
    fn a_schema_that_names_itself_ends() {
        let document = document();
        let schema = document.pointer("/components/schemas/Loop").unwrap();
        assert_eq!(type_of(&document, schema), "any");
        assert!(kind_schema(&document, Kind::Host).is_err());
    }
}
