//! What clusters, packages and deployments have beyond other resources: files of distributions, values of secrets, previews,
//! what each target and node says. Lists, reads, writes and watches of the resources themselves are in [`crate::resources`];
//! decisions are in `cairn-workload`.

mod artifacts;
mod host;
mod nodes;
mod preview;
mod row;
mod secrets;
mod targets;

pub use artifacts::Kept;
pub use host::HostWorkload;
pub use nodes::NodeRow;
pub use preview::{Preview, PreviewRow};
pub use row::{ApplicationRow, WorkloadRow};
pub use targets::TargetRow;

use crate::route::Route;

/// Its routes.
pub(crate) fn routes() -> Vec<Route> {
    let all = [
        artifacts::routes(),
        host::routes(),
        nodes::routes(),
        preview::routes(),
        secrets::routes(),
        targets::routes(),
    ];
    all.into_iter().flatten().collect()
}
