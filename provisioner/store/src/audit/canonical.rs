//! The one form of an entry over which its hash goes.

use cairn_contract::Digest;
use cairn_domain::audit::AuditEntry;
use serde_json::Value;

/// Hash of an entry, hexadecimal: SHA-256 over its JSON without `hash`, with sorted names and without spaces. `prev` is in it.
pub fn digest(entry: &AuditEntry) -> Result<String, serde_json::Error> {
    let mut value = serde_json::to_value(entry)?;
    if let Some(fields) = value.as_object_mut() {
        fields.remove("hash");
    }
    Ok(Digest::of(text(&value).as_bytes()).to_string())
}

/// JSON with sorted names and without spaces.
pub(super) fn text(value: &Value) -> String {
    sorted(value).to_string()
}

/// In whatever order `serde_json` keeps names: features of others decide it.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<_> = fields.iter().collect();
            names.sort_by_key(|(name, _)| *name);
            Value::Object(names.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
