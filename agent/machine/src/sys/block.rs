//! Block device ioctls (linux/fs.h): size, discard, write zeroes, flush the cache, read the partitions again.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use nix::libc;

/// `_IO(0x12, n)` and `_IOR(0x12, 114, size_t)`.
const BLKRRPART: libc::c_ulong = 0x125F;
const BLKFLSBUF: libc::c_ulong = 0x1261;
const BLKSSZGET: libc::c_ulong = 0x1268;
const BLKDISCARD: libc::c_ulong = 0x1277;
const BLKSECDISCARD: libc::c_ulong = 0x127D;
const BLKZEROOUT: libc::c_ulong = 0x127F;
const BLKGETSIZE64: libc::c_ulong = 0x8008_1272;

fn checked(result: libc::c_int) -> io::Result<()> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Bytes of the device.
pub(crate) fn size(device: &File) -> io::Result<u64> {
    let mut size = 0_u64;
    // SAFETY: BLKGETSIZE64 writes one u64 through the pointer.
    checked(unsafe { libc::ioctl(device.as_raw_fd(), BLKGETSIZE64, std::ptr::from_mut(&mut size)) })?;
    Ok(size)
}

/// Bytes of a logical block.
pub(crate) fn block_size(device: &File) -> io::Result<u32> {
    let mut size: libc::c_int = 0;
    // SAFETY: BLKSSZGET writes one int through the pointer.
    checked(unsafe { libc::ioctl(device.as_raw_fd(), BLKSSZGET, std::ptr::from_mut(&mut size)) })?;
    u32::try_from(size).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "impossible block size"))
}

/// What happens to a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// The contents are no longer needed; they may read as anything.
    Discard,
    /// As that, and no copy of them is left in the device.
    SecureDiscard,
    /// They read as zero.
    Zero,
}

/// Discards or zeroes `len` bytes from `offset`; both must be multiples of the logical block.
pub(crate) fn range(device: &File, what: Range, offset: u64, len: u64) -> io::Result<()> {
    let number = match what {
        Range::Discard => BLKDISCARD,
        Range::SecureDiscard => BLKSECDISCARD,
        Range::Zero => BLKZEROOUT,
    };
    let range = [offset, len];
    // SAFETY: each of these calls reads two u64 (start, length) through the pointer.
    checked(unsafe { libc::ioctl(device.as_raw_fd(), number, range.as_ptr()) })
}

/// Writes back and drops the device's buffers, so that what is read comes from the medium.
pub(crate) fn flush_buffers(device: &File) -> io::Result<()> {
    // SAFETY: BLKFLSBUF takes no argument.
    checked(unsafe { libc::ioctl(device.as_raw_fd(), BLKFLSBUF, 0) })
}

/// Makes the kernel read the partition table again; busy while a partition is in use.
pub(crate) fn reread_partitions(device: &File) -> io::Result<()> {
    // SAFETY: BLKRRPART takes no argument.
    checked(unsafe { libc::ioctl(device.as_raw_fd(), BLKRRPART, 0) })
}
