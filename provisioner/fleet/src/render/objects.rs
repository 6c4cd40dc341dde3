//! Documents to objects of Kubernetes: each has a version, a kind and a name; lists are taken apart; none comes twice.

use std::collections::HashSet;

use serde_json::Value;

use super::Fault;

/// Objects of one application.
const MAX_OBJECTS: usize = 5000;
/// Lists in lists.
const MAX_LISTS: usize = 4;

/// All of them, in order.
pub(super) fn checked(documents: Vec<Value>) -> Result<Vec<Value>, Fault> {
    let mut objects = Vec::with_capacity(documents.len());
    for document in documents {
        flatten(document, MAX_LISTS, &mut objects)?;
    }
    let mut seen = HashSet::with_capacity(objects.len());
    for object in &objects {
        let key = key(object)?;
        let words = key.words();
        if !seen.insert(key) {
            return Err(invalid(format!("{words} comes twice; remove one")));
        }
    }
    Ok(objects)
}

fn flatten(document: Value, lists: usize, objects: &mut Vec<Value>) -> Result<(), Fault> {
    let Value::Object(mut fields) = document else {
        return Err(invalid(
            "a document is not a map: an object of Kubernetes has apiVersion, kind and metadata",
        ));
    };
    let is_list = fields.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
    match fields.remove("items") {
        Some(Value::Array(items)) if is_list => {
            let left = lists.checked_sub(1).ok_or_else(|| invalid("lists are in lists too deep"))?;
            items.into_iter().try_for_each(|item| flatten(item, left, objects))
        }
        other => {
            if let Some(items) = other {
                fields.insert("items".to_owned(), items);
            }
            if objects.len() >= MAX_OBJECTS {
                return Err(Fault::new(
                    "TooLarge",
                    format!("it has more than {MAX_OBJECTS} objects; split the package"),
                ));
            }
            objects.push(Value::Object(fields));
            Ok(())
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ObjectKey {
    group: String,
    kind: String,
    namespace: String,
    name: String,
}

impl ObjectKey {
    fn words(&self) -> String {
        match self.namespace.as_str() {
            "" => format!("{} {}", self.kind, self.name),
            namespace => format!("{} {namespace}/{}", self.kind, self.name),
        }
    }
}

fn key(object: &Value) -> Result<ObjectKey, Fault> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
    if version.is_empty() || kind.is_empty() {
        return Err(invalid("an object has no apiVersion or no kind"));
    }
    if name.is_empty() || name.len() > 253 {
        return Err(invalid(format!(
            "an object of kind {kind} has no metadata.name; generateName cannot be used, because objects are applied again and again"
        )));
    }
    let group = version.split_once('/').map_or("", |(group, _)| group).to_owned();
    Ok(ObjectKey { group, kind, namespace: text("/metadata/namespace"), name })
}

fn invalid(message: impl AsRef<str>) -> Fault {
    Fault::new("ObjectInvalid", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}})
    }

    #[test]
    fn lists_are_taken_apart_in_order() {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [object("A", "1"), object("B", "2")]});
        let all = checked(vec![list, object("A", "3")]).unwrap();
        assert_eq!(all, [object("A", "1"), object("B", "2"), object("A", "3")]);
    }

    #[test]
    fn what_is_no_object_is_refused_with_why() {
        let mut nested = object("A", "1");
        for _ in 0..10 {
            nested = json!({"apiVersion": "v1", "kind": "List", "items": [nested]});
        }
        for (bad, why) in [
            (vec![json!("text")], "not a map"),
            (vec![json!({"kind": "A", "metadata": {"name": "x"}})], "apiVersion"),
            (
                vec![json!({"apiVersion": "v1", "kind": "A", "metadata": {"generateName": "x"}})],
                "generateName",
            ),
            (vec![object("A", "1"), object("A", "1")], "twice"),
            (vec![nested], "too deep"),
        ] {
            let fault = checked(bad).unwrap_err();
            assert!(fault.message.contains(why), "{fault:?}");
        }
    }
}
