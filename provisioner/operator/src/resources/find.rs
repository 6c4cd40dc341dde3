//! One resource by its key, as far as the caller may see it.

use std::sync::Arc;

use cairn_domain::{
    access::{Decision, Denied, Place, word},
    index::FindError,
    model::{Kind, Namespace, Object, Verb},
};

use crate::{
    app::View,
    problem::{self, Problem, sentence},
};

/// The resource that `key` names: a uid, a full name, or a bare name when only one is visible.
pub(crate) fn find(view: &View<'_>, kind: Kind, key: &str) -> Result<Arc<Object>, Problem> {
    let home = Namespace::Appliance;
    view.index.find(kind, key, &home, |object| view.sight.sees(object)).cloned().map_err(|error| {
        let hidden = matches!(error, FindError::NotFound { .. })
            && view.index.find(kind, key, &home, |_| true).is_ok();
        let problem = not_found(kind, &error);
        if hidden { problem.denied() } else { problem }
    })
}

/// The same, and `verb` may be done with it.
pub(crate) fn find_for(
    view: &View<'_>,
    (verb, kind): (Verb, Kind),
    key: &str,
) -> Result<Arc<Object>, Problem> {
    let object = find(view, kind, key)?;
    match view.sight.decide(verb, kind, Place::Of(object.metadata.uid)) {
        Decision::Allowed => Ok(object),
        // It can be seen: `find` found it.
        Decision::Hidden | Decision::Forbidden => Err(forbidden(verb, kind, &object.full_name())),
    }
}

fn not_found(kind: Kind, error: &FindError) -> Problem {
    let next = match error {
        FindError::NotFound { .. } => format!("See which there are: cairn get {}", kind.plural()),
        FindError::Several { .. } => "Name one of them in full.".to_owned(),
    };
    Problem::new(problem::Kind::NotFound, sentence(&error.to_string()), next)
}

/// A right is missing on what can be seen.
pub(crate) fn forbidden(verb: Verb, kind: Kind, name: &str) -> Problem {
    let detail = format!("You need the right \"{}\" on {kind} {name}.", word(verb));
    Problem::new(problem::Kind::Forbidden, detail, "Ask an administrator for a role that has it.").denied()
}

/// What access refused, as a problem.
pub(crate) fn denied(kind: Kind, name: &str, error: &Denied) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        Denied::Hidden => {
            let detail = format!("There is no {kind} {name}.");
            let next = format!("See which there are: cairn get {}", kind.plural());
            Problem::new(problem::Kind::NotFound, detail, next).denied()
        }
        Denied::NoPlace { .. } => {
            Problem::new(problem::Kind::Invalid, detail, "Make it first, or name another.").denied()
        }
        Denied::Forbidden { .. } => {
            let next = "Ask an administrator for a role that has it.";
            Problem::new(problem::Kind::Forbidden, detail, next).denied()
        }
        Denied::Excess(_) => {
            Problem::new(problem::Kind::Forbidden, detail, "Nobody gives rights that they have not.").denied()
        }
    }
}
