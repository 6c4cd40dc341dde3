//! How a host leaves its cluster: drained and taken out by the control plane first, then told to remove its part.

use cairn_contract::Timestamp;
use cairn_domain::model::rfc3339;
use serde_json::Value;

use super::{members::Cluster, nodes::Head};
use crate::{Assignment, state::State};

/// Milliseconds after which a host removes its part though the control plane still lists its node.
pub const LEAVE_DEADLINE_MS: i64 = 10 * 60 * 1000;

/// Why a host may remove its part now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The cluster does not list its node.
    TakenOut,
    /// It still does, after [`LEAVE_DEADLINE_MS`].
    Late,
    /// There is no control plane that could take it out.
    Alone,
}

/// A host on its way out.
#[derive(Debug)]
pub(crate) struct Departure<'a> {
    pub(crate) row: &'a Assignment,
    /// Since when, as the status recorded it, or now.
    pub(crate) since: Timestamp,
    /// Why it may go now; `None`: not yet.
    pub(crate) ends: Option<End>,
}

pub(crate) fn departures<'a>(
    state: &State<'a>,
    cluster: &Cluster<'a>,
    head: Option<&Head<'a>>,
) -> Vec<Departure<'a>> {
    let now = state.world.now;
    let one = |row: &&'a Assignment| {
        let row: &'a Assignment = row;
        let since = recorded(cluster, row).unwrap_or(now);
        let ends = match (row.node(), head) {
            (None, _) => Some(End::TakenOut),
            (Some(_), None) => Some(End::Alone),
            (Some(node), Some(head)) => {
                let heard = head.member.row.is_some_and(|row| row.observed.is_some());
                let listed = head.listed().map(|nodes| nodes.iter().any(|n| n.name == node.node_name));
                let late = now.0.saturating_sub(since.0) >= LEAVE_DEADLINE_MS;
                match (heard, listed) {
                    (false, _) => Some(End::Alone),
                    (true, Some(false)) => Some(End::TakenOut),
                    (true, Some(true) | None) => late.then_some(End::Late),
                }
            }
        };
        Departure { row, since, ends }
    };
    cluster.departing.iter().map(one).collect()
}

/// `status.leaving[].since` of the host.
fn recorded(cluster: &Cluster<'_>, row: &Assignment) -> Option<Timestamp> {
    let all = cluster.object.status.as_ref()?.get("leaving")?.as_array()?;
    let host = row.host.to_string();
    let mine = all.iter().find(|l| l.get("uid").and_then(Value::as_str) == Some(&host))?;
    mine.get("sinceMs").and_then(Value::as_i64).map(Timestamp)
}

/// For `status.leaving`.
pub(crate) fn shown(state: &State<'_>, departure: &Departure<'_>) -> Value {
    let row = departure.row;
    let host = state.world.index.get(row.host).map(|o| o.metadata.name.clone());
    let message = match (departure.ends, row.body.is_some()) {
        (_, false) => "its part is being removed",
        (None, true) => "the control plane drains its node and takes it out",
        (Some(End::Late), true) => {
            "the control plane did not take its node out within 10 minutes; its part is removed anyway: look for pods that cannot \
             be evicted"
        }
        (Some(End::TakenOut | End::Alone), true) => "its part is removed now",
    };
    serde_json::json!({
        "host": host.unwrap_or_default(),
        "uid": row.host,
        "since": rfc3339(departure.since),
        "sinceMs": departure.since.0,
        "message": message,
    })
}
