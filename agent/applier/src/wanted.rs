//! What the applier is told: releases with the bytes of their objects and the values of their secrets. Not how it is carried out
//! (`keep`).

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_contract::Digest;
use cairn_contract::workload::{Release, Secrets};
use zeroize::Zeroize as _;

/// One release, with what it takes to apply it.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// As the provisioner sent it. Applications that are not `Manifests` are passed over.
    pub release: Release,
    /// Blobs by their digests, as far as they have come.
    pub blobs: BTreeMap<Digest, Arc<Vec<u8>>>,
    /// Absent: not fetched yet, or the provisioner is away.
    pub secrets: Option<Arc<Values>>,
}

/// Values of placeholders. In memory only, made zero when dropped.
#[derive(PartialEq, Eq)]
pub struct Values {
    by_name: BTreeMap<String, String>,
    digest: Digest,
}

impl Values {
    /// Takes what the provisioner released.
    #[must_use]
    pub fn new(secrets: Secrets) -> Self {
        let mut bytes = serde_json::to_vec(&secrets.values).unwrap_or_default();
        let digest = Digest::of(&bytes);
        bytes.zeroize();
        Self { by_name: secrets.values, digest }
    }

    /// By placeholder.
    #[must_use]
    pub fn by_name(&self) -> &BTreeMap<String, String> {
        &self.by_name
    }

    /// Of all of them: other values are another object.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        self.by_name.values_mut().for_each(|v| v.zeroize());
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Values({} values)", self.by_name.len())
    }
}
