//! What clusters, packages and deployments have beyond other resources: files of distributions, values of secrets, previews,
//! what each target and node says. Lists, reads, writes and watches of the resources themselves are in [`crate::resources`];
//! decisions are in `cairn-workload`.

mod artifacts;
mod nodes;
mod row;
mod secrets;
mod targets;

pub use artifacts::Kept;
pub use nodes::NodeRow;
pub use row::{ApplicationRow, WorkloadRow};
pub use targets::TargetRow;

use crate::route::Route;

/// Its routes.
pub(crate) fn routes() -> Vec<Route> {
    [artifacts::routes(), nodes::routes(), secrets::routes(), targets::routes()]
        .into_iter()
        .flatten()
        .collect()
}
