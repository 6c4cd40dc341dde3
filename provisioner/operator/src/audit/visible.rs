//! Which entries somebody may see: those about what lies where they have the right `audit`. Logins are the appliance's.

use cairn_domain::{
    access::{self, Decision, Grants, Place, Principal},
    audit::AuditEntry,
    index::Index,
    model::{Kind as Resource, Namespace, Verb},
};

use crate::{
    app::App,
    auth::Caller,
    problem::{Kind, Problem},
    refusal::{self, Attempt},
};

/// Whether the caller may read the log of a namespace at all; of `None`: somewhere. A refusal is told to the log itself.
pub(super) async fn allowed(
    app: &App,
    caller: &Caller,
    namespace: Option<&Namespace>,
) -> Result<(), Problem> {
    match check(app, &caller.principal, namespace) {
        Ok(()) => Ok(()),
        Err(problem) => {
            let name = namespace.map(ToString::to_string).unwrap_or_default();
            let attempt = Attempt { verb: "audit.read", kind: None, name: &name };
            Err(refusal::note(app, caller, attempt, problem).await)
        }
    }
}

fn check(app: &App, principal: &Principal, namespace: Option<&Namespace>) -> Result<(), Problem> {
    let index = app.catalog.index();
    let grants = access::grants(&index, principal);
    let Some(namespace) = namespace else {
        let anywhere = grants.granted().iter().any(|g| g.rights.each().any(|(verb, _)| verb == Verb::Audit));
        return if anywhere { Ok(()) } else { Err(forbidden("anywhere")) };
    };
    match decide(&index, &grants, namespace) {
        Decision::Allowed => Ok(()),
        Decision::Forbidden => Err(forbidden(&format!("at {}", shown(namespace)))),
        Decision::Hidden => {
            let detail = format!("There is no namespace {namespace}.");
            Err(Problem::new(Kind::NotFound, detail, "See which there are: cairn get projects")
                .at("namespace")
                .denied())
        }
    }
}

/// The right on the namespace's own node; of the appliance, on its users.
fn decide(index: &Index, grants: &Grants, namespace: &Namespace) -> Decision {
    match index.node_of(namespace) {
        Some(node) => grants.decide(index, Verb::Audit, node.kind(), Place::Of(node.metadata.uid)),
        None if *namespace == Namespace::Appliance => {
            grants.decide(index, Verb::Audit, Resource::User, Place::In(namespace))
        }
        None => Decision::Hidden,
    }
}

fn forbidden(place: &str) -> Problem {
    let detail = format!("You need the right \"audit\" {place}.");
    Problem::new(Kind::Forbidden, detail, "Ask an administrator for a role that has it, such as auditor.")
        .denied()
}

fn shown(namespace: &Namespace) -> String {
    match namespace {
        Namespace::Appliance => "the appliance".to_owned(),
        inside => inside.to_string(),
    }
}

/// Those of `entries` that the principal may see.
pub(super) fn filter(app: &App, principal: &Principal, entries: Vec<AuditEntry>) -> Vec<AuditEntry> {
    let index = app.catalog.index();
    let grants = access::grants(&index, principal);
    entries.into_iter().filter(|entry| sees(&index, &grants, entry)).collect()
}

fn sees(index: &Index, grants: &Grants, entry: &AuditEntry) -> bool {
    let deed = &entry.deed;
    let kind = deed.kind.unwrap_or(Resource::User);
    let may = |place| grants.decide(index, Verb::Audit, kind, place).is_allowed();
    if may(Place::In(&Namespace::Appliance)) {
        return true;
    }
    // A namespace that was made anew is not the one of that name before.
    let as_old = match index.node_of(&deed.namespace) {
        Some(node) => node.metadata.created <= entry.at,
        None => false,
    };
    if as_old && may(Place::In(&deed.namespace)) {
        return true;
    }
    // At a site, or an organisation's own entry: by the resource, while it is where it was.
    let here = deed.uid.and_then(|uid| index.get(uid)).filter(|o| o.metadata.namespace == deed.namespace);
    here.is_some_and(|o| o.kind() == kind && may(Place::Of(o.metadata.uid)))
}
