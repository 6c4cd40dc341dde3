//! The disk being written: O_DIRECT, aligned, exclusive.
//!
//! Opening checks that `/dev/NAME` is a block device and the one that the kernel lists under that name: a plain file
//! where a device should be fills memory and "succeeds". O_EXCL makes the kernel refuse a disk that is in use.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;

use super::{Buffer, Disk};
use crate::inventory::text;
use crate::sys::block;

/// What is zeroed by hand in one write, where the device cannot.
const ZERO_STEP: u64 = 1 << 20;

/// Why a disk cannot be the target.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file, or nothing, stands where the device should be.
    #[error("{path} is not a block device")]
    NotABlockDevice {
        /// Path.
        path: PathBuf,
    },
    /// A device node with another number than the kernel's.
    #[error("{path} is another device than the kernel calls {name}")]
    OtherDevice {
        /// Path.
        path: PathBuf,
        /// Kernel name.
        name: String,
    },
    /// `open(2)` or an ioctl failed; busy means that something uses the disk.
    #[error("cannot open {path} for writing")]
    Open {
        /// Path.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
}

/// What becomes of discarded blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscardKind {
    /// The device may forget them.
    Plain,
    /// The device forgets them with all copies that it made (BLKSECDISCARD).
    Secure,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Device,
    /// A plain file that plays the disk, in tests.
    Scratch,
}

/// An open disk. Offsets and lengths given to it are multiples of 4096.
#[derive(Debug)]
pub struct Target {
    direct: File,
    /// The same device through the page cache, for the ESP's small writes.
    buffered: File,
    kind: Kind,
    size: u64,
    block: u32,
}

impl Target {
    /// Opens a disk from [`list`](super::list) for writing.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(disk: &Disk) -> Result<Self, OpenError> {
        let name = &disk.info.name;
        let path = Path::new("/dev").join(name);
        let number = text(&Path::new("/sys/block").join(name).join("dev"));
        Self::open_device(&path, name, &number)
    }

    fn open_device(path: &Path, name: &str, number: &str) -> Result<Self, OpenError> {
        let path = path.to_path_buf();
        let Some(meta) = fs::metadata(&path).ok().filter(|m| m.file_type().is_block_device()) else {
            return Err(OpenError::NotABlockDevice { path });
        };
        let dev = meta.rdev();
        if format!("{}:{}", libc::major(dev), libc::minor(dev)) != number {
            return Err(OpenError::OtherDevice { path, name: name.to_owned() });
        }
        let open = || -> io::Result<Self> {
            let direct = OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(libc::O_DIRECT | libc::O_EXCL)
                .open(&path)?;
            let buffered = OpenOptions::new().read(true).write(true).open(&path)?;
            let (size, block) = (block::size(&direct)?, block::block_size(&direct)?);
            Ok(Self { direct, buffered, kind: Kind::Device, size, block })
        };
        open().map_err(|source| OpenError::Open { path, source })
    }

    /// For tests only: a plain file plays a disk of `size` bytes. No program calls this.
    ///
    /// # Errors
    /// As `open(2)`.
    pub fn scratch(path: &Path, size: u64) -> io::Result<Self> {
        let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let direct = open()?;
        direct.set_len(size)?;
        Ok(Self { direct, buffered: open()?, kind: Kind::Scratch, size, block: 512 })
    }

    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of a logical block.
    #[must_use]
    pub fn block(&self) -> u32 {
        self.block
    }

    /// Writes aligned memory at an aligned offset.
    ///
    /// # Errors
    /// As `write(2)`.
    pub fn write(&self, offset: u64, data: &Buffer, len: usize) -> io::Result<()> {
        let data = data.get(..len).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.direct.write_all_at(data, offset)
    }

    /// Reads from the medium, not from the page cache, until the buffer is full.
    ///
    /// # Errors
    /// As `read(2)`.
    pub fn read(&self, offset: u64, data: &mut Buffer, len: usize) -> io::Result<()> {
        let data = data.get_mut(..len).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.direct.read_exact_at(data, offset)
    }

    /// Makes a range read as zero: by the device where it can (BLKZEROOUT), else by writing.
    ///
    /// # Errors
    /// As `write(2)`.
    pub fn zero(&self, offset: u64, len: u64) -> io::Result<()> {
        if self.kind == Kind::Device && block::range(&self.direct, block::Range::Zero, offset, len).is_ok() {
            return Ok(());
        }
        let zeros = Buffer::new(usize::try_from(ZERO_STEP.min(len)).unwrap_or(0));
        let mut at = 0;
        while at < len {
            let n = ZERO_STEP.min(len - at);
            self.write(offset + at, &zeros, usize::try_from(n).unwrap_or(0))?;
            at += n;
        }
        Ok(())
    }

    /// Tells the device that a range is no longer needed. Devices that cannot are left alone.
    pub fn discard(&self, offset: u64, len: u64) {
        if let Err(error) = self.try_discard(DiscardKind::Plain, offset, len) {
            tracing::debug!(%error, "the disk does not discard");
        }
    }

    /// Discards a range.
    ///
    /// # Errors
    /// The device cannot, or not so; what the range reads as is unknown then.
    pub fn try_discard(&self, kind: DiscardKind, offset: u64, len: u64) -> io::Result<()> {
        let what = match kind {
            DiscardKind::Plain => block::Range::Discard,
            DiscardKind::Secure => block::Range::SecureDiscard,
        };
        match self.kind {
            Kind::Device => block::range(&self.direct, what, offset, len),
            Kind::Scratch => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Waits until everything is on the medium.
    ///
    /// # Errors
    /// As `fsync(2)`: a write that failed later than its call shows here.
    pub fn flush(&self) -> io::Result<()> {
        self.buffered.sync_all()?;
        self.direct.sync_all()?;
        match self.kind {
            Kind::Device => block::flush_buffers(&self.direct),
            Kind::Scratch => Ok(()),
        }
    }

    /// Shows the kernel the new partitions. A failure is harmless before a reboot.
    pub fn reread_partitions(&self) {
        if self.kind == Kind::Device
            && let Err(error) = block::reread_partitions(&self.direct)
        {
            tracing::debug!(%error, "the kernel keeps the old partition table until the reboot");
        }
    }

    /// A part of the disk as a file, through the page cache; for a file system on a partition.
    #[must_use]
    pub fn window(&self, start: u64, len: u64) -> Window<'_> {
        Window { file: &self.buffered, start, len, at: 0 }
    }
}

/// A range of a disk that reads, writes and seeks like a file and never leaves its bounds.
#[derive(Debug)]
pub struct Window<'t> {
    file: &'t File,
    start: u64,
    len: u64,
    at: u64,
}

impl Window<'_> {
    fn clip(&self, wanted: usize) -> usize {
        usize::try_from(self.len.saturating_sub(self.at)).unwrap_or(usize::MAX).min(wanted)
    }
}

impl Read for Window<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.clip(buf.len());
        let n = self.file.read_at(buf.get_mut(..n).unwrap_or_default(), self.start + self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Write for Window<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.clip(buf.len());
        let n = self.file.write_at(buf.get(..n).unwrap_or_default(), self.start + self.at)?;
        self.at += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(n) => Some(n),
            SeekFrom::End(n) => self.len.checked_add_signed(n),
            SeekFrom::Current(n) => self.at.checked_add_signed(n),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> (PathBuf, Target) {
        let path = std::env::temp_dir().join(format!("cairn-target-{}-{name}", std::process::id()));
        let target = Target::scratch(&path, 8 << 20).unwrap();
        (path, target)
    }

    #[test]
    fn a_file_where_a_device_should_be_is_refused() {
        let (path, _target) = scratch("file");
        let refused = Target::open_device(&path, "vda", "254:0");
        fs::remove_file(&path).unwrap();
        assert!(matches!(refused, Err(OpenError::NotABlockDevice { .. })), "{refused:?}");
        let gone = Target::open_device(Path::new("/dev/cairn-none"), "vda", "254:0");
        assert!(matches!(gone, Err(OpenError::NotABlockDevice { .. })), "{gone:?}");
    }

    #[test]
    fn zeroed_ranges_read_as_zero_and_nothing_else_does() {
        let (path, target) = scratch("zero");
        let mut data = Buffer::new(3 << 20);
        data.fill(7);
        target.write(0, &data, 3 << 20).unwrap();
        target.zero(4096, (2 << 20) + 4096).unwrap();
        let mut read = Buffer::new(3 << 20);
        target.read(0, &mut read, 3 << 20).unwrap();
        fs::remove_file(&path).unwrap();
        let zeros = read.iter().filter(|b| **b == 0).count();
        assert_eq!(zeros, (2 << 20) + 4096);
        assert_eq!((read[4095], read[4096], read[(2 << 20) + 8192]), (7, 0, 7));
    }

    #[test]
    fn a_window_stays_in_its_bounds() {
        let (path, target) = scratch("window");
        let mut window = target.window(1 << 20, 4096);
        window.seek(SeekFrom::End(-2)).unwrap();
        assert_eq!(window.write(&[1, 2, 3]).unwrap(), 2);
        assert_eq!(window.write(&[9]).unwrap(), 0);
        assert!(window.seek(SeekFrom::Current(-5000)).is_err());
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(bytes[(1 << 20) + 4094..(1 << 20) + 4098], [1, 2, 0, 0]);
    }
}
