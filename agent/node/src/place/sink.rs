//! Where a blob's bytes go: a temporary file that hashes and bounds them.

use std::io::{self, Write as _};
use std::path::Path;

use cairn_contract::Digest;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

/// The bytes are not the blob, or cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The disk.
    #[error("cannot write it")]
    Io {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// More bytes than announced.
    #[error("it is longer than {size} bytes")]
    TooLong {
        /// As announced.
        size: u64,
    },
    /// Fewer bytes than announced.
    #[error("it has {have} bytes instead of {size}")]
    Short {
        /// What came.
        have: u64,
        /// As announced.
        size: u64,
    },
    /// Other bytes.
    #[error("its digest is sha256:{have} instead of sha256:{want}")]
    Digest {
        /// Of what came.
        have: Digest,
        /// As ordered.
        want: Digest,
    },
}

/// Takes a blob's bytes in order. It disappears unless it is finished.
#[derive(Debug)]
pub struct Sink {
    file: NamedTempFile,
    hash: Sha256,
    have: u64,
    size: u64,
}

impl Sink {
    pub(super) fn create(folder: &Path, size: u64) -> io::Result<Self> {
        let file = tempfile::Builder::new().prefix(".cairn-").tempfile_in(folder)?;
        Ok(Self { file, hash: Sha256::new(), have: 0, size })
    }

    /// How many bytes it has: a fetch that broke off goes on from here.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.have
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they are too many, or the disk does not take them.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        let have = self.have.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if have > self.size {
            return Err(SinkError::TooLong { size: self.size });
        }
        self.file.write_all(bytes).map_err(|source| SinkError::Io { source })?;
        self.hash.update(bytes);
        self.have = have;
        Ok(())
    }

    /// The durable file, if its bytes are those of `want`.
    pub(super) fn finish(self, want: &Digest) -> Result<NamedTempFile, SinkError> {
        if self.have != self.size {
            return Err(SinkError::Short { have: self.have, size: self.size });
        }
        let have = Digest(self.hash.finalize().into());
        if have != *want {
            return Err(SinkError::Digest { have, want: *want });
        }
        self.file.as_file().sync_all().map_err(|source| SinkError::Io { source })?;
        Ok(self.file)
    }
}
