//! What an object is called: its kind, and its place in the cluster. Not the object itself (`manifest`, `mirror`).

use std::fmt;

use serde_json::Value;

/// Group, version and kind, as in `apiVersion` and `kind`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gvk {
    /// Empty for the core group.
    pub group: String,
    /// Such as `v1`.
    pub version: String,
    /// Such as `Deployment`.
    pub kind: String,
}

impl Gvk {
    /// From the two fields of an object; `None` when they can be neither.
    #[must_use]
    pub fn new(api_version: &str, kind: &str) -> Option<Self> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let fit = |s: &str| !s.is_empty() && s.len() <= 253 && s.bytes().all(is_word) && !s.starts_with('.');
        let group_fits = group.is_empty() != api_version.contains('/') && (group.is_empty() || fit(group));
        (group_fits && fit(version) && fit(kind)).then(|| Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        })
    }

    /// `apps/v1`, or `v1` of the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether it is this kind of this group, in any version.
    #[must_use]
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'.' || b == b'-'
}

/// What makes an object the same object. The version is no part of it: one object is served in several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Empty for the core group.
    pub group: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Empty for objects of the cluster.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// Of the kind.
    #[must_use]
    pub fn new(gvk: &Gvk, namespace: &str, name: &str) -> Self {
        Self {
            group: gvk.group.clone(),
            kind: gvk.kind.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// `Deployment shop/web`, `Certificate.cert-manager.io shop/web`, `Namespace shop`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        // Groups of Kubernetes itself need no saying.
        if self.group.contains('.') && !self.group.ends_with(".k8s.io") {
            write!(f, ".{}", self.group)?;
        }
        f.write_str(" ")?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// Whether `name` can be a segment of a path of the API: Kubernetes' own rule, and no character that would need escaping.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':');
    !name.is_empty() && name.len() <= 253 && name != "." && name != ".." && name.bytes().all(fits)
}

/// Text at a path of member names; empty when it is not there.
#[must_use]
pub fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

/// Whole number at a path of member names; 0 when it is not there.
#[must_use]
pub fn number(value: &Value, path: &[&str]) -> i64 {
    at(value, path).and_then(Value::as_i64).unwrap_or_default()
}

/// Elements of the array at a path of member names; none when it is not there.
pub fn each<'a>(value: &'a Value, path: &[&str]) -> impl Iterator<Item = &'a Value> {
    at(value, path).and_then(Value::as_array).into_iter().flatten()
}

/// What is at a path of member names.
#[must_use]
pub fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |v, name| v.get(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_versions_are_taken_apart_and_put_together() {
        let apps = Gvk::new("apps/v1", "Deployment").unwrap();
        assert_eq!((apps.group.as_str(), apps.api_version().as_str()), ("apps", "apps/v1"));
        assert_eq!(Gvk::new("v1", "Pod").unwrap().api_version(), "v1");
        for (version, kind) in
            [("", "Pod"), ("/v1", "Pod"), ("a/", "Pod"), ("a/b/c", "Pod"), ("v1", ""), ("../v1", "P")]
        {
            assert_eq!(Gvk::new(version, kind), None, "{version} {kind}");
        }
    }

    #[test]
    fn names_that_would_leave_their_path_are_none() {
        assert!(is_name("system:node") && is_name("a.b-c_d"));
        for bad in ["", ".", "..", "a/b", "a%2f", "a?b", "a#b", "a b", "ä"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
