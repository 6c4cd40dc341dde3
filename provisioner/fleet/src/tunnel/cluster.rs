//! On which host a cluster's API server is: the one that was told to be its control plane.

use cairn_contract::{
    HostId,
    workload::{NodeDesired, NodeRole},
};
use cairn_domain::model::Uid;
use cairn_store::{ReadError, Store};

/// `None` while no host was told.
pub(super) async fn control_plane(store: &Store, cluster: Uid) -> Result<Option<HostId>, ReadError> {
    for assignment in store.assignments_to(cluster).await? {
        let order = store.order_to(assignment.host, cluster).await?;
        let Some(body) = order.and_then(|order| order.body) else { continue };
        // Ours: what cannot be read is no control plane's.
        let node = serde_json::from_str::<NodeDesired>(&body);
        if node.is_ok_and(|node| node.role == NodeRole::ControlPlane) {
            return Ok(Some(assignment.host));
        }
    }
    Ok(None)
}
