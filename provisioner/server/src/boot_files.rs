//! What the boot services serve: the active installer's files by name, and every blob by its digest.

use std::{collections::BTreeMap, sync::Arc};

use cairn_contract::Digest;
use cairn_fleet::import::Reference;
use cairn_netboot::{Artifacts, Blob, Shelf};
use cairn_netproto::bootfile::{INITRD, INSTALLER, KERNEL, Name};
use cairn_store::{Blobs, ReadError};

use crate::snapshot::{Current, Read};

/// Blobs of the store, by digest.
pub(crate) struct StoreBlobs(pub(crate) Blobs);

impl Artifacts for StoreBlobs {
    fn find(&self, digest: &Digest) -> Option<Blob> {
        Blob::file(self.0.path(digest), *digest).ok()
    }
}

/// Snapshot and shelf, renewed together.
pub(crate) struct BootShelf {
    pub(crate) current: Arc<Current>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) read: Read,
}

impl BootShelf {
    /// Reads hosts and installer again.
    pub(crate) async fn refresh(&self) -> Result<(), ReadError> {
        let store = &self.read.store;
        let installer = store.active_installer().await?;
        let mut names = BTreeMap::new();
        let mut cmdline = None;
        if let Some(installer) = installer {
            for (name, digest) in
                [(INSTALLER, installer.uki), (KERNEL, installer.kernel), (INITRD, installer.initrd)]
            {
                let blob = Blob::file(store.blobs().path(&digest), digest);
                match (Name::new(name), blob) {
                    (Some(name), Ok(blob)) => drop(names.insert(name, blob)),
                    (_, Err(error)) => tracing::error!(%error, name, "a file of the installer is missing"),
                    (None, Ok(_)) => {}
                }
            }
            cmdline = serde_json::from_str::<Reference>(&installer.reference).ok().map(|r| r.cmdline);
        }
        self.shelf.replace(names);
        self.current.refresh(&self.read, cmdline).await
    }
}
