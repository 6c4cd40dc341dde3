//! An order that was refused, as a problem that says what to do.

use cairn_contract::HostId;
use cairn_domain::model::{Kind as Resource, rfc3339};
use cairn_store::{CommitError, OrderError};

use crate::{
    app::App,
    auth::Caller,
    problem::{Kind, Problem, sentence},
};

/// `name` is the host that the order was for. Other hosts are named only to those who see them.
pub(crate) fn refused(app: &App, caller: &Caller, error: &OrderError, name: &str) -> Problem {
    let detail = sentence(&error.to_string());
    let cannot = |next: &str| Problem::new(Kind::Conflict, detail.clone(), next);
    match error {
        OrderError::NotFound => Problem::new(Kind::NotFound, detail, "See which there are: cairn get hosts"),
        OrderError::Name { source, .. } => {
            Problem::new(Kind::Invalid, detail, sentence(&source.to_string())).at("metadata.name")
        }
        OrderError::NameTaken(taken) => {
            let next = format!("Choose another name, or look at it: cairn describe host {taken}");
            Problem::new(Kind::Conflict, detail, next).at("metadata.name")
        }
        OrderError::Taken { what, host, id, value } => taken(app, caller, (what, value), (*id, host)),
        OrderError::Several { .. } => {
            cannot("See them: cairn get hosts --field-selector status.phase=pending")
        }
        OrderError::Value { what, .. } => {
            Problem::new(Kind::Invalid, detail, "Read it from the machine's label or firmware setup.")
                .at(field(what))
        }
        OrderError::Nameless => {
            Problem::new(Kind::Invalid, detail, "Give at least one of serial, uuid, macs and ek.")
                .at("spec.serial")
        }
        OrderError::OtherEk { host } => {
            cannot(&format!("Delete it (cairn delete host {host}), then register it anew.")).at("spec.ek")
        }
        OrderError::State { .. } => {
            let next = format!("See where it is: cairn describe host {name}");
            Problem::new(Kind::WrongState, detail, next)
        }
        OrderError::Stale { current } => {
            let next =
                format!("Its resource version is {current} now: read it again, and repeat your change.");
            Problem::new(Kind::Conflict, detail, next).at("metadata.resourceVersion")
        }
        OrderError::OutsideWindow { next } => {
            let next = match next.and_then(rfc3339) {
                Some(at) => format!("The next opens at {at}. To do it now all the same: --force"),
                None => "None ever opens: change its policy, or use --force.".to_owned(),
            };
            Problem::new(Kind::WrongState, detail, next)
        }
        OrderError::Commit(CommitError::Stale) => cannot("It changed at the same moment: try again."),
        OrderError::Commit(CommitError::NoSuchPlace(_)) => cannot("It was removed at the same moment."),
        OrderError::Read(_) | OrderError::Commit(_) => Problem::internal(error),
    }
}

fn taken(app: &App, caller: &Caller, (what, value): (&str, &str), (id, host): (HostId, &str)) -> Problem {
    let shown = app.view(caller, |view| {
        let object = view.index.get(id.into()).filter(|o| o.kind() == Resource::Host);
        object.filter(|o| view.sight.sees(o)).map(|o| o.full_name())
    });
    let (detail, next) = match shown {
        Some(name) => (
            format!("{what} {value} belongs to host {host} already."),
            format!("If this is the same machine, look at it: cairn describe host {name}"),
        ),
        // What somebody may not see has no name here. That the machine is taken cannot be hidden.
        None => (
            format!("{what} {value} cannot be registered here."),
            "Check it; if it is right, ask the appliance's administrator.".to_owned(),
        ),
    };
    Problem::new(Kind::Conflict, sentence(&detail), next).at(field(what))
}

fn field(what: &str) -> &'static str {
    match what {
        "serial number" => "spec.serial",
        "UUID" => "spec.uuid",
        "address" => "spec.macs",
        _ => "spec.ek",
    }
}
