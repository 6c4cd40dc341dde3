//! Reading what people send so that every slip is told at once, with its path and the nearest known word. serde stops at the
//! first, names no path, and takes a list for an object; so everything is first held against the JSON Schema of its type, the
//! same that the API serves.

use std::{collections::BTreeMap, sync::OnceLock};

use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::{
    Refusal,
    refusal::{Problems, chain, shown},
};
use crate::{
    model::{
        ClaimRuleSpec, ClusterSpec, ClusterTemplateSpec, DeploymentSpec, DistributionSpec,
        FirmwareProfileSpec, HostFields, Kind, Manifest, OrganisationSpec, OsImageSpec, PackageSpec,
        PolicySpec, ProjectSpec, RegionSpec, RoleBindingSpec, RoleSpec, SecretSpec, SiteSpec, Spec,
        TokenSpec, UserSpec,
    },
    nearest::nearest,
};

/// Deepest value that is looked into.
const MAX_DEPTH: usize = 16;
/// Most known words that a message lists.
const MAX_LISTED: usize = 16;

/// Reads a manifest; its spec is read by [`super::admit`].
///
/// # Errors
/// All that is wrong with its head; never empty.
pub fn manifest(value: &Value) -> Result<Manifest, Vec<Refusal>> {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    let mut problems = Problems::default();
    compare("", value, SCHEMA.get_or_init(schema_of::<Manifest>), &mut problems);
    if !problems.is_empty() {
        return Err(problems.all());
    }
    Manifest::deserialize(value).map_err(|error| {
        problems.invalid("", chain(&error), "write it as cairn get -o yaml shows one");
        problems.all()
    })
}

/// Reads a spec.
pub(super) fn spec(kind: Kind, value: &Value, problems: &mut Problems) -> Option<Spec> {
    static SCHEMAS: OnceLock<BTreeMap<Kind, Value>> = OnceLock::new();
    let schemas = SCHEMAS.get_or_init(|| Kind::ALL.into_iter().map(|kind| (kind, schema(kind))).collect());
    let before = problems.count();
    // An absent spec may lack what is required.
    let empty = Value::Object(Map::new());
    let value = if value.is_null() { &empty } else { value };
    if let Some(schema) = schemas.get(&kind) {
        compare("spec", value, schema, problems);
    }
    if problems.count() > before {
        return None;
    }
    Spec::parse(kind, value.clone())
        .map_err(|error| {
            let message = chain(&error.source);
            let next = format!("write it as cairn get {} -o yaml shows one", kind.short());
            problems.invalid(culprit(kind, value, &message), message, next);
        })
        .ok()
}

/// The field without which the error would be another: for values whose type reads them by rules of its own.
fn culprit(kind: Kind, value: &Value, message: &str) -> String {
    let fields = value.as_object().into_iter().flat_map(Map::keys).take(64);
    let mut others = fields.filter(|field| {
        let mut without = value.clone();
        without.as_object_mut().map(|o| o.remove(*field));
        Spec::parse(kind, without).map_or_else(|e| chain(&e.source) != message, |_| true)
    });
    others.next().map_or_else(|| "spec".to_owned(), |field| format!("spec.{}", shown(field)))
}

fn schema(kind: Kind) -> Value {
    match kind {
        Kind::Organisation => schema_of::<OrganisationSpec>(),
        Kind::Project => schema_of::<ProjectSpec>(),
        Kind::Region => schema_of::<RegionSpec>(),
        Kind::Site => schema_of::<SiteSpec>(),
        Kind::Host => schema_of::<HostFields>(),
        Kind::Policy => schema_of::<PolicySpec>(),
        Kind::OsImage => schema_of::<OsImageSpec>(),
        Kind::FirmwareProfile => schema_of::<FirmwareProfileSpec>(),
        Kind::ClaimRule => schema_of::<ClaimRuleSpec>(),
        Kind::User => schema_of::<UserSpec>(),
        Kind::Role => schema_of::<RoleSpec>(),
        Kind::RoleBinding => schema_of::<RoleBindingSpec>(),
        Kind::Token => schema_of::<TokenSpec>(),
        Kind::Distribution => schema_of::<DistributionSpec>(),
        Kind::ClusterTemplate => schema_of::<ClusterTemplateSpec>(),
        Kind::Cluster => schema_of::<ClusterSpec>(),
        Kind::Package => schema_of::<PackageSpec>(),
        Kind::Deployment => schema_of::<DeploymentSpec>(),
        Kind::Secret => schema_of::<SecretSpec>(),
    }
}

fn schema_of<T: JsonSchema>() -> Value {
    SchemaGenerator::default().into_root_schema_for::<T>().to_value()
}

/// Holds `value` against a root schema; says nothing where it finds nothing.
fn compare(path: &str, value: &Value, root: &Value, problems: &mut Problems) {
    Walk { root, problems }.look(path, value, root, MAX_DEPTH);
}

struct Walk<'a> {
    root: &'a Value,
    problems: &'a mut Problems,
}

impl<'a> Walk<'a> {
    fn look(&mut self, path: &str, value: &Value, schema: &'a Value, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else { return };
        let schema = self.resolved(schema);
        if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
            // An optional value: absent, or as its type says.
            let is_null = |s: &Value| s.get("type").is_some_and(|t| t == "null");
            if let Some(inner) = any.iter().find(|s| !is_null(s)).filter(|_| !value.is_null()) {
                self.look(path, value, inner, depth);
            }
            return;
        }
        if let Some(words) = words(schema) {
            return self.look_at_word(path, value, &words);
        }
        if !self.has_type(path, value, schema) {
            return;
        }
        match value {
            Value::Object(fields) => self.look_at_fields(path, fields, schema, depth),
            Value::Array(items) => {
                let Some(of) = schema.get("items") else { return };
                for (at, item) in items.iter().enumerate() {
                    self.look(&format!("{path}[{at}]"), item, of, depth);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn resolved(&self, schema: &'a Value) -> &'a Value {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let found = reference.and_then(|r| self.root.pointer(r.strip_prefix('#')?));
        found.unwrap_or(schema)
    }

    fn look_at_word(&mut self, path: &str, value: &Value, words: &[&str]) {
        match value.as_str() {
            Some(word) if words.contains(&word) => {}
            Some(word) => {
                let message = format!("{:?} is not known here", shown(word));
                self.problems.invalid(path, message, suggestion(word, words));
            }
            None => self.problems.invalid(path, format!("is {}", what(value)), suggestion("", words)),
        }
    }

    fn has_type(&mut self, path: &str, value: &Value, schema: &Value) -> bool {
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
        if types.iter().any(|name| is_of(value, name, format)) {
            return true;
        }
        let wanted: Vec<&str> =
            types.iter().filter(|t| **t != "null").map(|t| plain_type(t, format)).collect();
        let message = format!("is {}, not {}", what(value), wanted.join(" or "));
        self.problems.invalid(path, message, format!("write {}", wanted.join(" or ")));
        false
    }

    fn look_at_fields(&mut self, path: &str, fields: &Map<String, Value>, schema: &'a Value, depth: usize) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        let known: Vec<&str> = properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
        for (key, value) in fields {
            let path = joined(path, key);
            match (properties.and_then(|p| p.get(key)), others) {
                (Some(schema), _) => self.look(&path, value, schema, depth),
                (None, Some(Value::Bool(false))) => {
                    self.problems.invalid(path, "there is no such field", suggestion(key, &known));
                }
                (None, Some(schema)) => self.look(&path, value, schema, depth),
                (None, None) => {}
            }
        }
        let required = schema.get("required").and_then(Value::as_array);
        for key in required.into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(key) {
                self.problems.invalid(joined(path, key), "is missing", "write it");
            }
        }
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { shown(key) } else { format!("{path}.{}", shown(key)) }
}

/// The words of an enumeration, with or without descriptions.
fn words(schema: &Value) -> Option<Vec<&str>> {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.iter().map(Value::as_str).collect();
    }
    let one_of = schema.get("oneOf").and_then(Value::as_array)?;
    let mut out = Vec::new();
    for option in one_of {
        match (option.get("const"), option.get("enum").and_then(Value::as_array)) {
            (Some(word), _) => out.push(word.as_str()?),
            (None, Some(several)) => out.extend(several.iter().filter_map(Value::as_str)),
            (None, None) => return None,
        }
    }
    Some(out)
}

fn suggestion(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(near) => format!("did you mean {near}?"),
        None if known.is_empty() => "leave it out".to_owned(),
        None => {
            let listed: Vec<&str> = known.iter().take(MAX_LISTED).copied().collect();
            format!("there are {}", listed.join(", "))
        }
    }
}

fn is_of(value: &Value, name: &str, format: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => match format {
            "uint32" => value.as_u64().is_some_and(|n| u32::try_from(n).is_ok()),
            "int32" => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
            "uint64" => value.is_u64(),
            _ => value.is_i64() || value.is_u64(),
        },
        _ => true,
    }
}

fn plain_type(name: &str, format: &str) -> &'static str {
    match (name, format) {
        ("boolean", _) => "true or false",
        ("string", _) => "text",
        ("array", _) => "a list",
        ("object", _) => "an object",
        ("integer", "uint32") => "a whole number from 0 to 4294967295",
        ("integer", "uint64") => "a whole number that is not negative",
        ("integer", "int32") => "a whole number from -2147483648 to 2147483647",
        ("integer" | "number", _) => "a whole number",
        _ => "something else",
    }
}

fn what(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
