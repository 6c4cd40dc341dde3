//! An order that was refused, as a problem that says what to do.

use cairn_store::{CommitError, OrderError};

use crate::problem::{Kind, Problem};

/// `name` is the host that the order was for.
pub(crate) fn refused(error: &OrderError, name: &str) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        OrderError::NotFound => Problem::new(Kind::NotFound, detail, "See which there are: cairn host ls"),
        OrderError::Name { source, .. } => {
            Problem::new(Kind::Invalid, detail, sentence(&source.to_string())).at("name")
        }
        OrderError::NameTaken(taken) => Problem::new(
            Kind::Conflict,
            detail,
            format!("Choose another name, or look at it: cairn host show {taken}"),
        )
        .at("name"),
        OrderError::Taken { what, host, .. } => {
            let next = format!("If this is the same machine, look at it: cairn host show {host}");
            Problem::new(Kind::Conflict, detail, next).at(field(what))
        }
        OrderError::Several { .. } => Problem::new(
            Kind::Conflict,
            detail,
            "See them: cairn host ls --state pending; then: cairn host accept NAME",
        ),
        OrderError::Value { what, .. } => {
            Problem::new(Kind::Invalid, detail, "Read it from the machine's label or firmware setup.")
                .at(field(what))
        }
        OrderError::Nameless => {
            Problem::new(Kind::Invalid, detail, "Add --serial, --uuid, --mac or --ek.").at("serial")
        }
        OrderError::OtherEk { host } => {
            Problem::new(Kind::Conflict, detail, format!("cairn host rm {host}, then register it anew."))
                .at("ek")
        }
        OrderError::State { .. } => {
            Problem::new(Kind::WrongState, detail, format!("See where it is: cairn host show {name}"))
        }
        OrderError::Commit(CommitError::Stale) => {
            Problem::new(Kind::Conflict, "The host changed at the same moment.", "Try again.")
        }
        OrderError::Read(_) | OrderError::Commit(_) => Problem::internal(error),
    }
}

fn field(what: &str) -> &'static str {
    match what {
        "serial number" => "serial",
        "UUID" => "uuid",
        "address" => "macs",
        _ => "ek",
    }
}

/// A fragment with a capital and a full stop.
fn sentence(fragment: &str) -> String {
    let mut chars = fragment.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", chars.as_str())
}
