//! What the planner reads: resources, what each host was told and what it said of it.
//!
//! Called by fleet's orchestrator, which reads all of this in one go.

use std::{collections::HashMap, sync::Arc};

use cairn_contract::{
    Digest, Timestamp,
    workload::{NodeDesired, NodeObserved, Phase, Registry, Release, ReleaseObserved},
};
use cairn_domain::{
    index::Index,
    model::{Kind, Uid},
};

/// Everything that [`crate::plan`] looks at.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// All resources; hosts with their lifecycle's record.
    pub index: &'a Index,
    /// All rows, in any order; one for each host and subject.
    pub assignments: &'a [Assignment],
    /// What became of [`crate::Render`]s, by [`crate::Render::key`].
    pub rendered: &'a HashMap<Digest, Rendered>,
    /// Bootstrap tokens that exist.
    pub tokens: &'a [Token],
    /// The appliance's registry; `None`: it has none.
    pub registry: Option<&'a Registry>,
    /// The time.
    pub now: Timestamp,
}

/// One row of the table `assignment`: what a host was told of one subject, and what it said.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Which host.
    pub host: Uid,
    /// The Cluster, the Deployment, or the add-on ([`crate::addon_uid`]).
    pub subject: Uid,
    /// Cluster, or Deployment (of add-ons too).
    pub kind: Kind,
    /// What it was told; `None`: to remove it.
    pub body: Option<Body>,
    /// [`Body::revision`] of the last order that had a body.
    pub revision: Digest,
    /// What it said last; `None`: nothing yet.
    pub observed: Option<Said>,
    /// When the order changed last.
    pub changed: Timestamp,
}

/// What a host is told of one subject.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Its part of a cluster.
    Node(Arc<NodeDesired>),
    /// What it runs or applies.
    Release(Arc<Release>),
}

/// What a host said of one subject.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// Of its part of a cluster.
    Node(Arc<NodeObserved>),
    /// Of what it runs or applies.
    Release(Arc<ReleaseObserved>),
}

/// A bootstrap token, without its secret half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Six characters of a-z0-9.
    pub id: String,
    /// Whose cluster.
    pub cluster: Uid,
    /// Who may use it.
    pub host: Uid,
    /// Under which node name.
    pub node: String,
    /// Void from then on.
    pub expires: Timestamp,
    /// Used, or void since.
    pub spent: bool,
}

/// What became of a rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rendered {
    /// A blob of JSON lines, one object each.
    Ready {
        /// Of the blob.
        digest: Digest,
        /// Its length in bytes.
        size: u64,
    },
    /// It cannot be rendered; it is not tried again under the same key, unless the caller forgets this.
    Failed {
        /// One word, such as `HelmAbsent`.
        reason: String,
        /// For people, with what to do.
        message: String,
    },
}

/// Why the text of a row's order or answer is not understood.
#[derive(Debug, thiserror::Error)]
#[error("an order or answer of a {kind} is not understood")]
pub struct RowError {
    /// The row's kind.
    pub kind: Kind,
    /// The cause.
    #[source]
    pub source: serde_json::Error,
}

impl Body {
    /// Reads the column `body` of a row whose column `kind` is this.
    pub fn read(kind: Kind, json: &str) -> Result<Self, RowError> {
        let read = match kind {
            Kind::Cluster => serde_json::from_str(json).map(|node| Self::Node(Arc::new(node))),
            _ => serde_json::from_str(json).map(|release| Self::Release(Arc::new(release))),
        };
        read.map_err(|source| RowError { kind, source })
    }

    /// The column `body`.
    pub fn json(&self) -> String {
        let text = match self {
            Self::Node(node) => serde_json::to_string(node.as_ref()),
            Self::Release(release) => serde_json::to_string(release.as_ref()),
        };
        text.unwrap_or_default()
    }

    /// The column `kind`: Cluster, or Deployment (of add-ons too).
    pub fn kind(&self) -> Kind {
        match self {
            Self::Node(_) => Kind::Cluster,
            Self::Release(_) => Kind::Deployment,
        }
    }

    /// The column `revision`: another one is another order.
    pub fn revision(&self) -> Digest {
        match self {
            Self::Node(_) => Digest::of(self.json().as_bytes()),
            Self::Release(release) => release.revision,
        }
    }

    pub(crate) fn node(&self) -> Option<&NodeDesired> {
        match self {
            Self::Node(node) => Some(node),
            Self::Release(_) => None,
        }
    }
}

impl Said {
    /// Reads the column `observed` of a row whose column `kind` is this.
    pub fn read(kind: Kind, json: &str) -> Result<Self, RowError> {
        let read = match kind {
            Kind::Cluster => serde_json::from_str(json).map(|node| Self::Node(Arc::new(node))),
            _ => serde_json::from_str(json).map(|release| Self::Release(Arc::new(release))),
        };
        read.map_err(|source| RowError { kind, source })
    }

    /// How far it is.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Node(node) => node.phase,
            Self::Release(release) => release.phase,
        }
    }

    /// Why, in one word, and for people.
    pub(crate) fn why(&self) -> (&str, &str) {
        match self {
            Self::Node(node) => (&node.reason, &node.message),
            Self::Release(release) => (&release.reason, &release.message),
        }
    }

    pub(crate) fn node(&self) -> Option<&NodeObserved> {
        match self {
            Self::Node(node) => Some(node),
            Self::Release(_) => None,
        }
    }
}

impl Assignment {
    pub(crate) fn node(&self) -> Option<&NodeDesired> {
        self.body.as_ref().and_then(Body::node)
    }

    pub(crate) fn said_of_node(&self) -> Option<&NodeObserved> {
        self.observed.as_ref().and_then(Said::node)
    }

    /// How far the present order is; `Waiting` while the host has not spoken of it.
    pub(crate) fn phase(&self) -> Phase {
        match &self.observed {
            Some(Said::Release(said)) if said.revision != self.revision => Phase::Progressing,
            Some(said) => said.phase(),
            None => Phase::Waiting,
        }
    }

    /// Whether the present release is there and healthy.
    pub(crate) fn is_ready(&self) -> bool {
        self.body.is_some() && self.phase() == Phase::Ready
    }
}
