//! What the audit log is told of an order.

use cairn_domain::{
    Host,
    audit::{Actor, Deed, Outcome},
    model::{Kind, Object},
};
use serde_json::{Value, json};

/// `verb` done to a host that was `before` and is `after`; at least one of them is there.
pub(crate) fn of(verb: &str, before: Option<&Host>, after: Option<&Host>, actor: &Actor) -> Deed {
    let host = after.or(before);
    Deed {
        actor: actor.clone(),
        verb: verb.to_owned(),
        kind: Some(Kind::Host),
        uid: host.map(|h| h.id.into()),
        namespace: host.map(|h| h.meta.project.clone()).unwrap_or_default(),
        name: host.map(|h| h.spec.name.clone()).unwrap_or_default(),
        outcome: Outcome::Done,
        reason: String::new(),
        before: before.map(told),
        after: after.map(told),
    }
}

/// What people say of it, and its state; not what it says of itself.
fn told(host: &Host) -> Value {
    let object = Object::from(host.clone());
    let metadata = &object.metadata;
    json!({
        "name": metadata.name,
        "namespace": metadata.namespace,
        "labels": metadata.labels,
        "annotations": metadata.annotations,
        "spec": object.spec,
        "phase": host.state.word(),
    })
}
