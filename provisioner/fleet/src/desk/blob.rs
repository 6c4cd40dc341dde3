//! `GET /host/v1/blob/sha256:X`: files that the host's own orders name, and no others.

use std::fs::File;

use cairn_contract::{Digest, HostId};

use super::{Desk, DeskError};

/// A file that a host may have.
#[derive(Debug)]
pub struct FoundBlob {
    /// It.
    pub file: File,
    /// Its length in bytes.
    pub size: u64,
}

impl Desk {
    /// Opens a file for a host. What there is not, and what is not the host's, is refused in the same words.
    pub async fn blob(&self, host: HostId, digest: Digest) -> Result<FoundBlob, DeskError> {
        self.admit(host)?;
        if !self.brief(host).await?.blobs.contains(&digest) {
            return Err(DeskError::Forbidden("its orders name no such file"));
        }
        let blobs = self.store.blobs().clone();
        let opened = tokio::task::spawn_blocking(move || blobs.open(&digest)).await;
        let opened = opened.map_err(|_| DeskError::Absent("the file cannot be read".into()))??;
        let lost = || {
            DeskError::Absent(format!("the appliance does not have the file sha256:{digest}; add it again"))
        };
        let (file, size) = opened.ok_or_else(lost)?;
        Ok(FoundBlob { file, size })
    }
}
