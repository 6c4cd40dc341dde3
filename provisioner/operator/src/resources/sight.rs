//! Where a changed resource would lie, as far as its caller may see: asked before admission, whose answers know the whole
//! tree. What is hidden and what does not exist are told in the same words. Called by [`super::write`].

use cairn_domain::{
    model::{Kind, Manifest, Namespace, Object, Spec},
    nearest::nearest,
};

use super::write::no_namespace;
use crate::{
    app::View,
    problem::{self, Fault, Problem},
};

/// Refuses another namespace or another place in it that the caller does not see, whether it exists or not.
///
/// # Errors
/// What is wrong, by field. Whoever sees all nodes of the place is left to admission, which tells everything at once.
pub(super) fn check_place(view: &View<'_>, current: &Object, manifest: &Manifest) -> Result<(), Problem> {
    let home = &current.metadata.namespace;
    let namespace = manifest.metadata.namespace.as_ref().unwrap_or(home);
    if namespace != home && !view.index.node_of(namespace).is_some_and(|o| view.sight.sees(o)) {
        return Err(no_namespace(namespace).denied());
    }
    let Some((field, kind)) = parent_field(current.kind()) else { return Ok(()) };
    let wanted = manifest.spec.get(field).and_then(serde_json::Value::as_str);
    let moves = namespace != home || wanted.is_some_and(|name| Some(name) != parent_name(&current.spec));
    if !moves || !hides(view, kind, namespace) {
        return Ok(());
    }
    let found = wanted.and_then(|name| view.index.named(kind, namespace, name));
    match (wanted, found.is_some_and(|o| view.sight.sees(o))) {
        (_, true) => Ok(()),
        (Some(name), false) => Err(no_place(view, (field, kind, name), namespace)),
        // Admission would choose one, or tell which there are.
        (None, false) if kind == Kind::Site => Err(unnamed(namespace)),
        (None, false) => Ok(()),
    }
}

/// The field that names the node in which a resource lies, and that node's kind.
fn parent_field(kind: Kind) -> Option<(&'static str, Kind)> {
    match kind {
        Kind::Region => Some(("parent", Kind::Region)),
        Kind::Site => Some(("region", Kind::Region)),
        Kind::Host => Some(("site", Kind::Site)),
        _ => None,
    }
}

fn parent_name(spec: &Spec) -> Option<&str> {
    match spec {
        Spec::Region(s) => s.parent.as_deref(),
        Spec::Site(s) => s.region.as_deref(),
        Spec::Host(s) => s.site.as_deref(),
        _ => None,
    }
}

/// Whether there is any that the caller does not see.
fn hides(view: &View<'_>, kind: Kind, namespace: &Namespace) -> bool {
    view.index.in_namespace(kind, namespace).any(|o| !view.sight.sees(o))
}

fn no_place(view: &View<'_>, (field, kind, name): (&str, Kind, &str), namespace: &Namespace) -> Problem {
    let seen = view.index.in_namespace(kind, namespace).filter(|o| view.sight.sees(o));
    let names: Vec<&str> = seen.map(|o| o.metadata.name.as_str()).collect();
    let next = match nearest(name, &names) {
        Some(near) => format!("Did you mean {near}?"),
        None => format!("Make it first, or name another of project {namespace}."),
    };
    let name = cairn_domain::fact::plain(name, 80);
    let message = format!("there is no {kind} {name} in project {namespace}");
    fault(&format!("spec.{field}"), message, next).denied()
}

fn unnamed(namespace: &Namespace) -> Problem {
    let message = format!("no site of project {namespace} is named");
    fault("spec.site", message, "See which there are: cairn get sites".to_owned())
}

fn fault(field: &str, message: String, next: String) -> Problem {
    Problem::of(problem::Kind::Invalid, vec![Fault { field: field.to_owned(), message, next }])
}
