//! What belongs to the appliance and to no organisation: its timeline, unknown machines, installers. Rights at the appliance
//! are needed, on nodes or on OS images.

use cairn_domain::{
    access::{Decision, Place},
    model::{Kind, Namespace, Verb},
};

use crate::{
    app::App,
    auth::Caller,
    problem::{self, Problem},
    refusal::{self, Attempt},
};

/// Whether `caller` may read what happens to the whole appliance.
pub(crate) fn sees(app: &App, caller: &Caller) -> bool {
    may(app, caller, Verb::Get, Kind::Organisation)
}

fn may(app: &App, caller: &Caller, verb: Verb, kind: Kind) -> bool {
    let place = Place::In(&Namespace::Appliance);
    app.view(caller, |view| view.sight.decide(verb, kind, place) == Decision::Allowed)
}

/// Refuses who may not.
pub(crate) async fn reads(app: &App, caller: &Caller) -> Result<(), Problem> {
    allow(app, caller, Verb::Get, Kind::Organisation).await
}

/// Refuses who may not do `verb` with `kind` at the appliance.
pub(crate) async fn allow(app: &App, caller: &Caller, verb: Verb, kind: Kind) -> Result<(), Problem> {
    if may(app, caller, verb, kind) {
        return Ok(());
    }
    let word = cairn_domain::access::word(verb);
    let detail = format!("You need the right \"{word}\" on {kind} at the appliance.");
    let problem =
        Problem::new(problem::Kind::Forbidden, detail, "Ask an administrator of the appliance.").denied();
    let attempt = Attempt { verb: word, kind: Some(kind), name: "appliance" };
    Err(refusal::note(app, caller, attempt, problem).await)
}

/// Refuses who has no right at all: images and installers are everybody's else.
pub(crate) fn known(app: &App, caller: &Caller) -> Result<(), Problem> {
    if app.view(caller, |view| !view.grants.is_empty()) {
        return Ok(());
    }
    let next = "Ask an administrator for a role.";
    Err(Problem::new(problem::Kind::Forbidden, "You have no role here.", next))
}
