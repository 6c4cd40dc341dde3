//! Fields that a field selector can ask for.

use std::borrow::Cow;

use crate::model::{Object, Spec};

/// Fields of every kind, then those of hosts, sites and regions.
pub const FIELDS: [&str; 11] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.site",
    "spec.region",
    "spec.parent",
    "spec.image",
    "spec.serial",
    "spec.uuid",
    "spec.role",
    "status.phase",
];

/// The value of one of [`FIELDS`]; `None` where the object has none.
pub fn field<'a>(object: &'a Object, path: &str) -> Option<Cow<'a, str>> {
    let text = |value: &'a Option<String>| value.as_deref().map(Cow::Borrowed);
    match (path, &object.spec) {
        ("metadata.name", _) => Some(Cow::Borrowed(&object.metadata.name)),
        ("metadata.namespace", _) => Some(Cow::Owned(object.metadata.namespace.to_string())),
        ("metadata.uid", _) => Some(Cow::Owned(object.metadata.uid.to_string())),
        ("spec.site", Spec::Host(spec)) => text(&spec.site),
        ("spec.image", Spec::Host(spec)) => text(&spec.image),
        ("spec.serial", Spec::Host(spec)) => text(&spec.serial),
        ("spec.uuid", Spec::Host(spec)) => text(&spec.uuid),
        ("spec.region", Spec::Site(spec)) => text(&spec.region),
        ("spec.parent", Spec::Region(spec)) => text(&spec.parent),
        ("spec.role", Spec::RoleBinding(spec)) => Some(Cow::Borrowed(&spec.role)),
        ("spec.role", Spec::Token(spec)) => Some(Cow::Borrowed(&spec.role)),
        ("status.phase", _) => object.host.as_deref().map(|h| Cow::Borrowed(h.state.word())),
        _ => None,
    }
}
