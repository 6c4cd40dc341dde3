//! The objects of an application: read from its blob, checked, marked with their owner. Pure. Not placeholders (`fill`) and not
//! what the cluster makes of the objects (`put`).

use cairn_contract::Digest;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::fill;
use crate::key::{Gvk, Key, is_name, text};

/// Largest object: etcd's own limit of a request, which an API server does not go beyond.
pub const MAX_OBJECT: usize = 1_572_864;
/// Largest blob of an application.
pub const MAX_BLOB: usize = 64 << 20;
/// Most objects of a release: their inventory has to fit into one ConfigMap.
pub const MAX_OBJECTS: usize = 4000;

/// Label of all that a deployment owns: its uid.
pub const OWNER: &str = "cairn.dev/deployment";
/// Annotation with the deployment's full name, for people.
pub const OWNER_NAME: &str = "cairn.dev/name";
/// Annotation of objects that were there before, made by others: they are given back when the release goes, not deleted.
pub const FOUND: &str = "cairn.dev/found";
/// Annotation of objects that are deleted and made anew when a field cannot be changed: `"true"`.
pub const REPLACE: &str = "cairn.dev/replace";
/// Namespace of the inventories; no release writes there.
pub const SYSTEM: &str = "cairn-system";

/// One object as the release has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Its kind.
    pub gvk: Gvk,
    /// Namespace that it names itself.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The rest, without what only a server writes.
    pub value: Value,
    /// Of its text in the blob.
    pub digest: Digest,
    /// It holds placeholders: what the server says of it is not repeated.
    pub secret: bool,
}

/// A blob that is not the objects of an application.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not as a whole.
    #[error("the objects take {size} bytes; the limit is {MAX_BLOB}")]
    Blob {
        /// Its length.
        size: usize,
    },
    /// One of too many.
    #[error("there are more than {MAX_OBJECTS} objects; split the package")]
    Many,
    /// Not JSON.
    #[error("line {line} is not JSON; build the package again")]
    Json {
        /// From 1.
        line: usize,
        /// Where in it.
        #[source]
        source: serde_json::Error,
    },
    /// Larger than a cluster takes.
    #[error("line {line} is an object of {size} bytes; a cluster takes at most {MAX_OBJECT}: split it")]
    Large {
        /// From 1.
        line: usize,
        /// Its length.
        size: usize,
    },
    /// JSON, but no object of Kubernetes.
    #[error("line {line} has no usable {field}")]
    Field {
        /// From 1.
        line: usize,
        /// Which of its fields.
        field: &'static str,
    },
    /// In our own namespace.
    #[error("line {line} is in namespace {SYSTEM}, which is Cairn's own: choose another")]
    Reserved {
        /// From 1.
        line: usize,
    },
}

impl ManifestError {
    /// For [`cairn_contract::workload::ApplicationObserved::reason`].
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Blob { .. } | Self::Many | Self::Large { .. } => "TooLarge",
            Self::Json { .. } | Self::Field { .. } => "BadManifest",
            Self::Reserved { .. } => "ReservedNamespace",
        }
    }
}

/// Reads JSON lines, one object each. Empty lines are passed over; a `List` gives its items.
///
/// # Errors
/// See [`ManifestError`]: the first bad line.
pub fn parse(blob: &[u8]) -> Result<Vec<Object>, ManifestError> {
    if blob.len() > MAX_BLOB {
        return Err(ManifestError::Blob { size: blob.len() });
    }
    let mut out = Vec::new();
    for (at, text) in blob.split(|b| *b == b'\n').enumerate() {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let line = at.saturating_add(1);
        let value: Value =
            serde_json::from_slice(text).map_err(|source| ManifestError::Json { line, source })?;
        for value in unpacked(value) {
            out.push(object(value, line)?);
        }
        if out.len() > MAX_OBJECTS {
            return Err(ManifestError::Many);
        }
    }
    Ok(out)
}

/// A `List` of the core group is its items.
fn unpacked(mut value: Value) -> Vec<Value> {
    if text(&value, &["kind"]) != "List" || text(&value, &["apiVersion"]) != "v1" {
        return vec![value];
    }
    match value.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

fn object(mut value: Value, line: usize) -> Result<Object, ManifestError> {
    let lacks = |field| ManifestError::Field { line, field };
    let api_version = value.get("apiVersion").and_then(Value::as_str).ok_or(lacks("apiVersion"))?;
    let kind = value.get("kind").and_then(Value::as_str).ok_or(lacks("kind"))?;
    let gvk = Gvk::new(api_version, kind).ok_or(lacks("apiVersion and kind"))?;
    let name = text(&value, &["metadata", "name"]).to_owned();
    if !is_name(&name) {
        return Err(lacks("metadata.name"));
    }
    let namespace = text(&value, &["metadata", "namespace"]).to_owned();
    if !namespace.is_empty() && !is_name(&namespace) {
        return Err(lacks("metadata.namespace"));
    }
    if namespace == SYSTEM || gvk.is("", "Namespace") && name == SYSTEM {
        return Err(ManifestError::Reserved { line });
    }
    trim(&mut value);
    let bytes = serde_json::to_vec(&value).map_err(|source| ManifestError::Json { line, source })?;
    if bytes.len() > MAX_OBJECT {
        return Err(ManifestError::Large { line, size: bytes.len() });
    }
    let namespace = Some(namespace).filter(|n| !n.is_empty());
    let secret = fill::mentions(&value);
    Ok(Object { gvk, namespace, name, digest: Digest::of(&bytes), value, secret })
}

/// Takes away what only a server writes: exported and generated manifests carry it, and server-side apply refuses some of it.
fn trim(value: &mut Value) {
    let Value::Object(fields) = value else { return };
    fields.remove("status");
    if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
        for name in ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"]
        {
            metadata.remove(name);
        }
        metadata.retain(|_, v| !v.is_null());
    }
}

/// Says in the mark that it was there before.
pub fn mark_found(value: &mut Value) {
    if let Value::Object(fields) = value {
        member(member(fields, "metadata"), "annotations").insert(FOUND.into(), "true".into());
    }
}

/// Who owns an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Uid of the Deployment.
    pub deployment: Uuid,
    /// Its full name.
    pub name: String,
}

/// The object as it is sent: in its namespace, with its owner's mark.
#[must_use]
pub fn marked(object: &Object, key: &Key, owner: &Owner) -> Value {
    let mut value = object.value.clone();
    if let Value::Object(fields) = &mut value {
        let metadata = member(fields, "metadata");
        if key.namespace.is_empty() {
            // Charts name one for objects of the cluster too; no server wants it there.
            metadata.remove("namespace");
        } else {
            metadata.insert("namespace".into(), key.namespace.clone().into());
        }
        member(metadata, "labels").insert(OWNER.into(), owner.deployment.to_string().into());
        member(metadata, "annotations").insert(OWNER_NAME.into(), owner.name.clone().into());
    }
    value
}

/// The object below `name`, made when there is none.
fn member<'a>(fields: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    let slot = fields.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    match slot {
        Value::Object(map) => map,
        _ => unreachable!("it was made an object above"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn said(text: &str) -> String {
        parse(text.as_bytes()).map_or_else(|e| e.to_string(), |o| format!("{} objects", o.len()))
    }

    #[test]
    fn lines_and_lists_become_objects_without_what_servers_write() {
        let one = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","uid":"x","creationTimestamp":null},"status":{}}"#;
        let list = r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"n"}}]}"#;
        let found = parse(format!("{one}\n\n{list}\n").as_bytes()).unwrap();
        assert_eq!(found[0].value, json!({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}));
        assert_eq!((found.len(), found[1].namespace.as_deref()), (2, Some("n")));
    }

    #[test]
    fn bad_lines_are_named() {
        assert_eq!(said("{}"), "line 1 has no usable apiVersion");
        assert_eq!(said("\n{\"apiVersion\":\"v1\"}"), "line 2 has no usable kind");
        assert_eq!(said("7"), "line 1 has no usable apiVersion");
        assert_eq!(said("{"), "line 1 is not JSON; build the package again");
        let nameless = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"x-"}}"#;
        assert_eq!(said(nameless), "line 1 has no usable metadata.name");
        let ours = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"cairn-system"}}"#;
        assert!(said(ours).contains("which is Cairn's own"));
    }

    #[test]
    fn an_object_of_3_mib_is_too_large_and_a_crowd_is_too() {
        let large = json!({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"a":"x".repeat(3 << 20)}});
        assert!(said(&large.to_string()).contains("a cluster takes at most"));
        let one = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}"#;
        let crowd = format!("{one}\n").repeat(MAX_OBJECTS + 1);
        assert!(said(&crowd).contains("split the package"));
    }

    #[test]
    fn the_mark_replaces_foreign_forms_of_labels() {
        let text =
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","labels":7,"namespace":"x"}}"#;
        let object = parse(text.as_bytes()).unwrap().remove(0);
        let owner = Owner { deployment: Uuid::nil(), name: "shop.acme".into() };
        let sent = marked(&object, &Key::new(&object.gvk, "", "a"), &owner);
        assert_eq!(sent["metadata"]["labels"][OWNER], Uuid::nil().to_string());
        assert_eq!(sent["metadata"]["annotations"][OWNER_NAME], "shop.acme");
        assert_eq!(sent["metadata"].get("namespace"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn no_json_makes_it_panic(kind in "\\PC{0,8}", name in "\\PC{0,8}", meta in "(null|7|\\[\\]|\\{\\})") {
            let _ = parse(format!(r#"{{"apiVersion":"v1","kind":{kind:?},"metadata":{meta}}}"#).as_bytes());
            let _ = parse(json!({"apiVersion": name, "kind": kind, "metadata": {"name": name}}).to_string().as_bytes());
        }
    }
}
