//! Writes an image to a disk, from a stream that may break, so that a half-written disk never boots.
//!
//! ```text
//!  Job::plan     layout for this disk, sizes checked                       (nothing written)
//!  Job::prepare  old partition tables wiped, the whole disk discarded      (from here on the disk does not boot)
//!  Job::write    root A, root B, data, then ESP:
//!                  fetch (async) -> [3 frames] -> verify, unpack (thread) -> [2 frames] -> write (thread)
//!  Job::verify   a sample of frames read back from the medium
//!  Job::finish   files onto the ESP, flush, GPT, flush
//! ```
//! Called by the installer with a manifest whose signature and age were checked. Not a chooser of disks (`disk`), not
//! an HTTP client ([`Fetch`] is given).

mod esp;
mod fetch;
mod frames;
mod verify;
mod watch;

use std::io;
use std::sync::Arc;

use cairn_contract::{ImageManifest, InstallId, Role};

use crate::disk::Target;
use crate::layout::{Layout, TooSmall};

pub use esp::EspFile;
pub use fetch::{Body, Fetch, FetchError};
pub use watch::Watch;

/// Old tables lie in the first and last MiB; file systems' own signatures at most there too.
const WIPED: u64 = 1 << 20;

/// Why an installation stopped.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The image does not fit.
    #[error(transparent)]
    TooSmall(#[from] TooSmall),
    /// A frame's bytes are not what the manifest says; nothing of it was written.
    #[error("frame {frame} of {role:?} is not what the manifest says")]
    CorruptFrame {
        /// Partition.
        role: Role,
        /// Index in the partition.
        frame: usize,
    },
    /// A frame whose digest is right does not unpack to its size: the manifest was made wrongly.
    #[error("frame {frame} of {role:?} does not unpack to its size")]
    BadFrame {
        /// Partition.
        role: Role,
        /// Index in the partition.
        frame: usize,
    },
    /// The blob could not be fetched, however patiently.
    #[error("the image was not fetched beyond byte {at} of its blob")]
    Download {
        /// Where it broke for the last time.
        at: u64,
        /// The last failure.
        #[source]
        source: FetchError,
    },
    /// The disk refused.
    #[error("the disk fails at byte {offset}")]
    Disk {
        /// Offset on the disk.
        offset: u64,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// What was read back is not what was written.
    #[error("the disk gave back other bytes for frame {frame} of {role:?}, at byte {offset}")]
    ReadBack {
        /// Partition.
        role: Role,
        /// Index in the partition.
        frame: usize,
        /// Offset on the disk.
        offset: u64,
    },
    /// The ESP's file system does not take the files.
    #[error("cannot put {file} onto the ESP")]
    Esp {
        /// Path on the ESP.
        file: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The provisioner no longer wants this installation.
    #[error("stopped by the provisioner")]
    Stopped,
    /// A thread of the pipeline ended without a word.
    #[error("the writer ended unexpectedly")]
    Broken,
}

/// One installation on one disk.
#[derive(Debug)]
pub struct Job {
    image: ImageManifest,
    install: InstallId,
    layout: Layout,
}

impl Job {
    /// Lays the image out on this disk.
    ///
    /// # Errors
    /// [`InstallError::TooSmall`].
    pub fn plan(image: ImageManifest, install: InstallId, target: &Target) -> Result<Self, InstallError> {
        let layout = Layout::new(&image, install, target.size(), target.block())?;
        Ok(Self { image, install, layout })
    }

    /// Where the partitions go.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Compressed bytes of all frames: what [`Watch`] counts up to.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.image.partitions.iter().flat_map(|p| &p.frames).map(|f| u64::from(f.len)).sum()
    }

    /// Wipes both partition tables, for good before anything else, and discards the disk.
    ///
    /// # Errors
    /// [`InstallError::Disk`].
    pub fn prepare(&self, target: &Target) -> Result<(), InstallError> {
        // By logical blocks, so that a backup header in the very last one is wiped as well.
        let block = u64::from(target.block()).max(512);
        let size = target.size() / block * block;
        let ends = [(0, WIPED.min(size)), (size.saturating_sub(WIPED), WIPED.min(size))];
        for (offset, len) in ends {
            target.zero(offset, len).map_err(|source| InstallError::Disk { offset, source })?;
        }
        target.flush().map_err(|source| InstallError::Disk { offset: 0, source })?;
        target.discard(0, size);
        // A device that discards may give anything back: the tables stay wiped.
        for (offset, len) in ends {
            target.zero(offset, len).map_err(|source| InstallError::Disk { offset, source })?;
        }
        Ok(())
    }

    /// Writes all partitions. Dropping the future stops the pipeline after the frame in hand.
    ///
    /// # Errors
    /// [`InstallError`]; the disk does not boot then.
    pub async fn write<F: Fetch>(
        &self,
        target: Arc<Target>,
        fetch: &mut F,
        watch: Arc<Watch>,
    ) -> Result<(), InstallError> {
        watch.begin(self.total());
        frames::write(&frames::Work::of(&self.image, &self.layout), target, fetch, watch).await
    }

    /// Reads a sample of frames back from the medium.
    ///
    /// # Errors
    /// [`InstallError::ReadBack`] or [`InstallError::Disk`].
    pub fn verify(&self, target: &Target) -> Result<(), InstallError> {
        let offset = 0;
        target.flush().map_err(|source| InstallError::Disk { offset, source })?;
        verify::sample(&self.image, &self.layout, self.install, target)
    }

    /// Puts files onto the ESP and, last of all, makes the disk bootable.
    ///
    /// # Errors
    /// [`InstallError::Esp`] or [`InstallError::Disk`].
    pub fn finish(&self, target: &Target, files: &[EspFile]) -> Result<(), InstallError> {
        let disk = |offset| move |source| InstallError::Disk { offset, source };
        if let Some(place) = self.layout.place(Role::Esp) {
            esp::put(target.window(place.start, place.len), files)?;
        }
        target.flush().map_err(disk(0))?;
        let tables = self.layout.tables();
        write_bytes(target, tables.backup_at, &tables.backup).map_err(disk(tables.backup_at))?;
        write_bytes(target, 0, &tables.primary).map_err(disk(0))?;
        target.flush().map_err(disk(0))?;
        target.reread_partitions();
        Ok(())
    }
}

/// Writes whole logical blocks through the page cache: a backup table need not be aligned to 4096.
fn write_bytes(target: &Target, offset: u64, bytes: &[u8]) -> io::Result<()> {
    use io::{Seek, SeekFrom, Write};
    let mut window = target.window(0, target.size());
    window.seek(SeekFrom::Start(offset))?;
    window.write_all(bytes)
}
