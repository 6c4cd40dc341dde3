//! Objects leave the cluster: those that a release no longer has, and all of a release that is removed. Never one that another
//! deployment owns or that was there before; finalizers are waited for, told of, and never taken off.

use std::time::Duration;

use cairn_contract::workload::{Phase, ReleaseObserved};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cluster::{CallError, Cluster, Force};
use crate::inventory::{Entry, removal_order};
use crate::keep::{Around, Away};
use crate::key::{at, each, text};
use crate::kinds::{KindError, Resource};
use crate::manifest::{FOUND, Owner};
use crate::owned::{Claim, claim};

/// Objects that are asked for at the same time.
const AT_ONCE: usize = 8;
/// Until then those that leave are waited for, one stage after the other; then the rest follows at once, and people are told.
const PATIENCE: Duration = Duration::from_secs(120);

/// An object that has not left yet.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    pub(crate) entry: Entry,
    /// What keeps it.
    finalizers: Vec<String>,
}

/// What is leaving, and since when.
#[derive(Debug, Default)]
pub(crate) struct Leaving {
    since: Option<Instant>,
    left: Vec<Left>,
    overdue: bool,
}

impl Leaving {
    pub(crate) fn note(&mut self, left: Vec<Left>, now: Instant) {
        self.since = if left.is_empty() { None } else { Some(self.since.unwrap_or(now)) };
        self.overdue = self.since.is_some_and(|s| now.duration_since(s) > PATIENCE);
        self.left = left;
    }

    pub(crate) fn is_busy(&self) -> bool {
        !self.left.is_empty()
    }

    pub(crate) fn is_overdue(&self) -> bool {
        self.overdue
    }

    /// Adds to the picture of a release what keeps things from leaving.
    pub(crate) fn tell(&self, out: &mut ReleaseObserved, stays: bool) {
        if !stays {
            out.phase = Phase::Removing;
            out.reason = "Removing".into();
            out.message = format!("{} objects are leaving", self.left.len());
        }
        let Some(first) = self.left.iter().find(|l| !l.finalizers.is_empty()).filter(|_| self.overdue) else {
            return;
        };
        if stays && out.phase == Phase::Ready {
            out.phase = Phase::Degraded;
        } else if stays {
            return;
        }
        out.reason = "FinalizerPending".into();
        out.message = format!(
            "{} {} cannot leave: it waits for {}; see to what handles it",
            first.entry.kind,
            first.entry.name,
            first.finalizers.join(", ")
        );
    }
}

/// Deletes these, and says which are still there.
///
/// # Errors
/// When the server is away.
pub(crate) async fn all(around: &mut Around, owner: &Owner, entries: Vec<Entry>) -> Result<Vec<Left>, Away> {
    let mut found: Vec<(Entry, Resource)> = Vec::new();
    for entry in entries {
        let Some(gvk) = entry.gvk() else { continue };
        match around.kinds.resolve(&around.cluster, &gvk).await {
            Ok(resource) => found.push((entry, resource)),
            // Its kind is gone, and all objects of it with it.
            Err(KindError::Unknown { .. }) => {}
            Err(KindError::Ask { source, .. }) => return Err(Away(source)),
        }
    }
    let cluster = &around.cluster;
    let work = found.into_iter().map(|(entry, resource)| async move {
        let result = one(cluster, owner, (&entry, &resource)).await;
        result.map(|finalizers| finalizers.map(|finalizers| Left { entry, finalizers }))
    });
    let left: Vec<Option<Left>> = stream::iter(work).buffered(AT_ONCE).try_collect().await.map_err(Away)?;
    Ok(left.into_iter().flatten().collect())
}

/// Deletes those that come first in the order of removal, the next when they are gone; all when that takes too long.
///
/// # Errors
/// When the server is away.
pub(crate) async fn in_order(
    around: &mut Around,
    owner: &Owner,
    entries: Vec<Entry>,
    leaving: &mut Leaving,
) -> Result<Vec<Entry>, Away> {
    let mut rest = removal_order(entries);
    while let Some(first) = rest.first().map(Entry::rank).filter(|_| !leaving.is_overdue()) {
        let later = rest.split_off(rest.iter().take_while(|e| e.rank() == first).count());
        let left = all(around, owner, rest).await?;
        rest = later;
        if !left.is_empty() {
            let still = left.iter().map(|l| l.entry.clone()).chain(rest).collect();
            leaving.note(left, Instant::now());
            return Ok(still);
        }
    }
    let left = all(around, owner, rest).await?;
    let still = left.iter().map(|l| l.entry.clone()).collect();
    leaving.note(left, Instant::now());
    Ok(still)
}

/// Deletes one; `None` when it is gone or not ours, else its finalizers.
async fn one(
    cluster: &Cluster,
    owner: &Owner,
    (entry, resource): (&Entry, &Resource),
) -> Result<Option<Vec<String>>, CallError> {
    let path = resource.one(&entry.namespace, &entry.name);
    let Some(live) = cluster.find(&path).await? else { return Ok(None) };
    if claim(Some(&live), owner.deployment, &entry.uid) != Claim::Ours {
        return Ok(None);
    }
    if text(&live, &["metadata", "annotations", FOUND]) == "true" {
        give_back(cluster, (&path, entry)).await?;
        return Ok(None);
    }
    if at(&live, &["metadata", "deletionTimestamp"]).is_none() {
        match cluster.delete(&path, text(&live, &["metadata", "uid"])).await {
            // Somebody was faster.
            Err(e) if e.is_absent() => return Ok(None),
            Err(e) if e.is_away() => return Err(e),
            Err(e) => return Ok(Some(vec![format!("the API server, which said: {e}")])),
            Ok(()) => {}
        }
    }
    Ok(Some(finalizers(&live)))
}

fn finalizers(live: &Value) -> Vec<String> {
    let of = each(live, &["metadata", "finalizers"]).chain(each(live, &["spec", "finalizers"]));
    of.filter_map(Value::as_str).take(5).map(str::to_owned).collect()
}

/// An apply without fields gives up those that are ours; others' stay.
async fn give_back(cluster: &Cluster, (path, entry): (&str, &Entry)) -> Result<(), CallError> {
    let mut metadata = json!({"name": entry.name});
    if let Some(fields) = metadata.as_object_mut().filter(|_| !entry.namespace.is_empty()) {
        fields.insert("namespace".into(), entry.namespace.clone().into());
    }
    let body = json!({"apiVersion": entry.api_version, "kind": entry.kind, "metadata": metadata});
    match cluster.apply(path, &body, Force::Take).await {
        Err(error) if error.is_away() => Err(error),
        Err(error) => {
            tracing::warn!(kind = %entry.kind, name = %entry.name, %error, "what was found could not be given back");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use cairn_contract::Digest;
    use uuid::Uuid;

    use super::*;

    fn observed() -> ReleaseObserved {
        ReleaseObserved {
            deployment: Uuid::nil(),
            revision: Digest([0; 32]),
            phase: Phase::Ready,
            reason: "Ready".into(),
            message: String::new(),
            corrected: 0,
            applications: vec![],
        }
    }

    #[tokio::test(start_paused = true)]
    async fn finalizers_are_told_when_the_patience_is_over() {
        let entry = Entry {
            api_version: "v1".into(),
            kind: "PersistentVolumeClaim".into(),
            namespace: "shop".into(),
            name: "data".into(),
            uid: String::new(),
            application: 0,
        };
        let left =
            || vec![Left { entry: entry.clone(), finalizers: vec!["kubernetes.io/pvc-protection".into()] }];
        let (mut leaving, start) = (Leaving::default(), Instant::now());
        leaving.note(left(), start);
        let mut told = observed();
        leaving.tell(&mut told, false);
        assert_eq!((told.phase, told.reason.as_str()), (Phase::Removing, "Removing"));
        leaving.note(left(), start + PATIENCE + Duration::from_secs(1));
        leaving.tell(&mut told, false);
        assert_eq!(told.reason, "FinalizerPending");
        assert!(
            told.message.contains(
                "PersistentVolumeClaim data cannot leave: it waits for kubernetes.io/pvc-protection"
            )
        );
        let mut stays = observed();
        leaving.tell(&mut stays, true);
        assert_eq!(stays.phase, Phase::Degraded);
    }
}
