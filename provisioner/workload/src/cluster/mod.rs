//! Clusters: which hosts they have, what each is told, and their status.
//!
//! ```text
//! spec.hosts + spec.selector -> members (each host in one cluster) -> control plane first; workers when it has an endpoint,
//!                                                                    each with a token of its own
//! no longer a member -> `leaving` on the control plane -> not listed there (or 10 minutes) -> Remove
//! ```

mod auto;
mod leaving;
mod made;
mod members;
mod nodes;
mod status;

pub use leaving::LEAVE_DEADLINE_MS;
pub(crate) use made::{Made, upwards};
pub(crate) use members::{Cluster, HostLabels, Standing, resolve};
pub(crate) use nodes::{Head, trouble};
pub(crate) use status::{AddonStatus, status};

use cairn_domain::model::{Kind, Uid};

use crate::{Assignment, Order, plan::Plan, state::State};

/// The host with the API server of a cluster, of any rows that hold those of the cluster.
pub fn control_plane<'a>(rows: impl IntoIterator<Item = &'a Assignment>, cluster: Uid) -> Option<Uid> {
    let mut rows = rows.into_iter().filter(|row| row.subject == cluster);
    rows.find(|row| row.node().is_some_and(nodes::is_control_plane)).map(|row| row.host)
}

/// Orders, tokens and wanted clusters; statuses come later, as add-ons are a part of them.
pub(crate) fn plan(state: &State<'_>, plan: &mut Plan) {
    for (cluster, made) in state.clusters.iter().zip(&state.made) {
        nodes::plan(state, cluster, made, plan);
    }
    for (subject, rows) in state.rows.subjects() {
        if state.world.index.get(subject).is_some_and(|o| o.kind() == Kind::Cluster) {
            continue;
        }
        let left = rows.iter().filter(|row| row.kind == Kind::Cluster && row.body.is_some());
        plan.orders.extend(left.map(|row| Order::Remove { host: row.host, subject }));
    }
    auto::plan(state, plan);
}
