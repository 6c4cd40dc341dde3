//! One object is brought into the cluster: whose it is, its secrets, server-side apply, and what the answer means.
//!
//! **Fields that others set.** An object that this deployment owns by its mark is applied with force: what the release names is
//! the release's, and a field that it does not name is never touched. An object that was there before and is nobody's is applied
//! without force: a field that others set to another value is a conflict that names them. An object of another deployment is not
//! touched at all: the conflict names both. An object that was found is marked so, and given back instead of deleted at the end.

use std::collections::BTreeSet;

use cairn_contract::Digest;
use serde_json::Value;

use crate::cluster::{CallError, Cluster, Force};
use crate::key::{Key, at, number, text};
use crate::kinds::Resource;
use crate::manifest::{FOUND, Object, Owner, REPLACE, mark_found, marked};
use crate::mirror::{Live, Mirror};
use crate::owned::{Claim, claim, fields};
use crate::part::Spot;
use crate::refusal::Refusal;
use crate::wanted::Values;
use crate::{fill, ports, power};

/// With what everything is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) mirror: &'a Mirror,
    pub(crate) owner: &'a Owner,
    pub(crate) values: Option<&'a Values>,
}

/// What is sent where.
#[derive(Debug, Clone, Copy)]
struct Parcel<'a> {
    object: &'a Object,
    key: &'a Key,
    resource: &'a Resource,
    /// Uid that it had when it was applied last; empty: never.
    uid: &'a str,
    cause: Cause,
}

/// Why an object is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It is new, or another than before.
    New,
    /// The agent does not know whether the cluster still has it as it was applied.
    Again,
    /// It was changed or removed by others.
    Drift,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Put {
    /// As the server has it now.
    pub(crate) trace: Trace,
    /// Of the object.
    pub(crate) uid: String,
    /// Something of it was put right, and not what an operator switched.
    pub(crate) changed: bool,
}

/// What tells that nobody changed an object: the server's note of our fields, and (because before Kubernetes 1.22 the `scale`
/// subresource changed replicas behind that note) the generation of its specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trace {
    /// See [`crate::owned::fields`].
    pub(crate) fields: Option<Digest>,
    pub(crate) generation: i64,
}

impl Trace {
    pub(crate) fn of(live: &Live) -> Self {
        Self { fields: live.fields, generation: live.generation }
    }

    fn read(live: &Value) -> Self {
        Self { fields: fields(live), generation: number(live, &["metadata", "generation"]) }
    }
}

/// An object that was not brought in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PutError {
    #[error("the API server does not answer")]
    Away(#[source] CallError),
    #[error("the values of its secrets have not come yet")]
    NoValues,
    #[error("{count} of its secrets have no value; set them in the deployment")]
    Missing { count: usize },
    #[error(
        "it belongs to deployment {other}, and {owner} has it too: only one of them can; remove it from the other"
    )]
    Another { owner: String, other: String },
    #[error("it was there before, and {fields}; remove them there or from the package")]
    Fields { fields: String },
    #[error("it is deleted and made anew, because a field of it cannot be changed")]
    Replacing,
    #[error("a field of it cannot be changed: {said}; delete it by hand, or annotate it with {REPLACE}=true")]
    Immutable { said: String },
    #[error("{said}")]
    Refused { said: String, refusal: Box<Refusal> },
    #[error("it cannot be asked for")]
    Request(#[source] CallError),
    #[error("its kind is not served yet")]
    Unplaced,
}

impl PutError {
    /// One word for people and programs.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Away(_) => "ClusterUnreachable",
            Self::NoValues => "SecretsNotFetched",
            Self::Missing { .. } => "SecretMissing",
            Self::Another { .. } => "OwnedByAnotherDeployment",
            Self::Fields { .. } => "FieldConflict",
            Self::Replacing => "Replacing",
            Self::Unplaced => "KindUnknown",
            Self::Immutable { .. } => "ImmutableField",
            Self::Refused { refusal, .. } if refusal.code == 413 => "TooLarge",
            Self::Refused { .. } | Self::Request(_) => "Refused",
        }
    }

    /// Nothing will change by itself.
    pub(crate) fn lasts(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::Another { .. } | Self::Fields { .. } | Self::Immutable { .. } => {
                true
            }
            Self::Refused { refusal, .. } => !refusal.passes() && refusal.code != 404,
            Self::Away(_) | Self::NoValues | Self::Replacing | Self::Request(_) | Self::Unplaced => false,
        }
    }
}

/// Digest of what is sent: of the object, and of the values if it holds any.
pub(crate) fn source(object: &Object, values: Option<&Values>) -> Digest {
    match values {
        Some(values) if object.secret => Digest::of(&[object.digest.0, values.digest().0].concat()),
        _ => object.digest,
    }
}

impl Sender<'_> {
    /// Applies one object.
    ///
    /// # Errors
    /// See [`PutError`].
    pub(crate) async fn put(&self, (spot, cause): (&Spot, Cause), uid: &str) -> Result<Put, PutError> {
        // Without a place it is not among those to send.
        let Some(resource) = &spot.resource else { return Err(PutError::Unplaced) };
        self.send(Parcel { object: &spot.object, key: &spot.key, resource, uid, cause }).await
    }

    async fn send(&self, parcel: Parcel<'_>) -> Result<Put, PutError> {
        let mut body = marked(parcel.object, parcel.key, self.owner);
        self.fill(&mut body, parcel.object)?;
        fill::encode(&mut body);
        ports::complete(&parcel.resource.gvk, &mut body);
        let (live, before) = self.live(&parcel).await?.unzip();
        let force = match claim(live.as_ref(), self.owner.deployment, parcel.uid) {
            Claim::Ours => Force::Take,
            Claim::Free | Claim::Found => Force::Ask,
            Claim::Another { name } => {
                return Err(PutError::Another { owner: self.owner.name.clone(), other: name });
            }
        };
        let mut switched = false;
        if let Some(live) = &live {
            if force == Force::Ask || text(live, &["metadata", "annotations", FOUND]) == "true" {
                mark_found(&mut body);
            }
            if parcel.cause != Cause::New {
                switched = power::keep(&mut body, live);
            }
        }
        let path = parcel.resource.one(&parcel.key.namespace, &parcel.key.name);
        match self.cluster.apply(&path, &body, force).await {
            Ok(answer) => {
                let (trace, uid) = (Trace::read(&answer), text(&answer, &["metadata", "uid"]).to_owned());
                self.mirror.put(&parcel.resource.gvk, answer);
                Ok(Put { trace, uid, changed: before != Some(trace) && !switched })
            }
            Err(error) => Err(self.judge(&parcel, live.as_ref(), error).await),
        }
    }

    fn fill(&self, body: &mut Value, object: &Object) -> Result<(), PutError> {
        if !object.secret {
            return Ok(());
        }
        let values = self.values.ok_or(PutError::NoValues)?;
        let missing: BTreeSet<String> = fill::fill(body, values.by_name());
        if missing.is_empty() { Ok(()) } else { Err(PutError::Missing { count: missing.len() }) }
    }

    /// The object as it is now: the mirror knows marked ones only, and not who set what.
    async fn live(&self, parcel: &Parcel<'_>) -> Result<Option<(Value, Trace)>, PutError> {
        let known = self.mirror.get(parcel.key).filter(|_| !power::concerns(&parcel.resource.gvk));
        if let Some(live) = known {
            return Ok(Some(((*live.value).clone(), Trace::of(&live))));
        }
        let path = parcel.resource.one(&parcel.key.namespace, &parcel.key.name);
        let found = self.cluster.find(&path).await.map_err(|e| judged(e, parcel.object))?;
        Ok(found.map(|live| {
            let trace = Trace::read(&live);
            (live, trace)
        }))
    }

    async fn judge(&self, parcel: &Parcel<'_>, live: Option<&Value>, error: CallError) -> PutError {
        let Some(refusal) = error.refusal() else { return judged(error, parcel.object) };
        let conflicts = refusal.field_conflicts();
        if !conflicts.is_empty() {
            let told: Vec<String> = conflicts.iter().map(ToString::to_string).collect();
            return PutError::Fields { fields: told.join(", ") };
        }
        let Some(live) = live.filter(|_| refusal.immutable) else { return judged(error, parcel.object) };
        if !replaceable(parcel, live) {
            let said = said(refusal, parcel.object);
            return PutError::Immutable { said };
        }
        let path = parcel.resource.one(&parcel.key.namespace, &parcel.key.name);
        match self.cluster.delete(&path, text(live, &["metadata", "uid"])).await {
            Ok(()) => PutError::Replacing,
            Err(e) => judged(e, parcel.object),
        }
    }
}

/// A job of another revision is another job; all else says so itself. What others made is never deleted.
fn replaceable(parcel: &Parcel<'_>, live: &Value) -> bool {
    let asked = text(&parcel.object.value, &["metadata", "annotations", REPLACE]) == "true";
    let found = at(live, &["metadata", "annotations", FOUND]).is_some();
    (asked || parcel.resource.gvk.is("batch", "Job")) && !found
}

fn said(refusal: &Refusal, object: &Object) -> String {
    if object.secret { refusal.without_values() } else { refusal.to_string() }
}

fn judged(error: CallError, object: &Object) -> PutError {
    if error.is_away() {
        return PutError::Away(error);
    }
    match error.refusal() {
        Some(refusal) => {
            PutError::Refused { said: said(refusal, object), refusal: Box::new(refusal.clone()) }
        }
        None => PutError::Request(error),
    }
}
