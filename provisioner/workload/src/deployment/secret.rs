//! Secrets that parameters name exist.

use cairn_domain::model::{Kind, Namespace};
use serde_json::Value;

use crate::{
    Problem,
    catalog::Entry,
    parameters::{self, Values},
    state::State,
};
use cairn_domain::model::Uid;

/// That each Secret is there, with the key, as far as its status tells.
pub(crate) fn check(
    state: &State<'_>,
    entry: &Entry<'_>,
    namespace: &Namespace,
    values: &Values,
) -> Result<(), Problem> {
    for at in parameters::secrets(entry, Uid::nil(), values).into_values() {
        let named = |v: &Value| v.as_str().is_some_and(|t| t == format!("{}/{}", at.secret, at.key));
        let parameter = values.iter().find(|(_, v)| named(v)).map_or("", |(name, _)| name);
        let field = format!("spec.parameters.{parameter}");
        let Some(secret) = state.world.index.named(Kind::Secret, namespace, &at.secret) else {
            let message = format!(
                "there is no Secret {} in {namespace}; make it, then set its key {}",
                at.secret, at.key
            );
            return Err(Problem::new("SecretMissing", field, message));
        };
        let keys = secret.status.as_ref().and_then(|s| s.get("keys")).and_then(Value::as_array);
        let has = keys.is_some_and(|keys| keys.iter().any(|key| names(key, &at.key)));
        if !has {
            let message = format!("Secret {} has no key {}; set it: cairn secret set", at.secret, at.key);
            return Err(Problem::new("SecretMissing", field, message));
        }
    }
    Ok(())
}

/// A key as text, or as an object with its name.
fn names(key: &Value, name: &str) -> bool {
    key.as_str() == Some(name) || key.get("name").and_then(Value::as_str) == Some(name)
}
