//! Inventories in the cluster, and namespaces that releases need. Not what is in an inventory (`inventory`).

use serde_json::{Value, json};

use crate::cluster::{CallError, Cluster, Force};
use crate::inventory::{INVENTORY, Inventory};
use crate::key::{is_name, text};
use crate::manifest::SYSTEM;

/// All inventories; those that cannot be believed are passed over with a warning, so that nothing is deleted by them.
///
/// # Errors
/// As [`CallError`].
pub(crate) async fn read(cluster: &Cluster) -> Result<Vec<Inventory>, CallError> {
    let path = format!("/api/v1/namespaces/{SYSTEM}/configmaps");
    let (all, _) = cluster.list(&path, &format!("labelSelector={INVENTORY}")).await?;
    let believed = all.iter().filter_map(|map| {
        Inventory::from_map(map)
            .inspect_err(|error| tracing::warn!(%error, "an inventory is not believed"))
            .ok()
    });
    Ok(believed.collect())
}

/// Writes one.
///
/// # Errors
/// As [`CallError`].
pub(crate) async fn write(cluster: &Cluster, inventory: &Inventory) -> Result<(), CallError> {
    let path = format!("/api/v1/namespaces/{SYSTEM}/configmaps/{}", inventory.map_name());
    match cluster.apply(&path, &inventory.to_map(), Force::Take).await {
        Err(e) if e.is_absent() => ensure_namespace(cluster, SYSTEM).await?,
        other => return other.map(|_| ()),
    }
    cluster.apply(&path, &inventory.to_map(), Force::Take).await.map(|_| ())
}

/// Removes one.
///
/// # Errors
/// As [`CallError`].
pub(crate) async fn remove(cluster: &Cluster, inventory: &Inventory) -> Result<(), CallError> {
    let path = format!("/api/v1/namespaces/{SYSTEM}/configmaps/{}", inventory.map_name());
    let Some(map) = cluster.find(&path).await? else { return Ok(()) };
    match cluster.delete(&path, text(&map, &["metadata", "uid"])).await {
        Err(e) if e.is_absent() => Ok(()),
        other => other,
    }
}

/// Makes a namespace when it is not there. It stays when the release goes: others may be in it by then.
///
/// # Errors
/// As [`CallError`].
pub(crate) async fn ensure_namespace(cluster: &Cluster, name: &str) -> Result<(), CallError> {
    if !is_name(name) {
        return Err(CallError::Request(name.to_owned()));
    }
    if cluster.find(&format!("/api/v1/namespaces/{name}")).await?.is_some() {
        return Ok(());
    }
    let made: Value = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    match cluster.create("/api/v1/namespaces", &made).await {
        Err(e) if e.refusal().is_some_and(|r| r.code == 409) => Ok(()),
        other => other.map(|_| ()),
    }
}
