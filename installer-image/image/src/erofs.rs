//! Makes an erofs image of a tree: fixed times, UUID and order, lz4 in 64 KiB clusters.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::SOURCE_DATE_EPOCH;
use crate::error::{BuildError, at};
use crate::program;

/// Who owns the files of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owners {
    /// As in the tree.
    Kept,
    /// All root's.
    Root,
}

/// Writes the image of `tree`, at most `limit` bytes, padded to full MiB. `key` decides the UUID.
pub(crate) fn build(
    tree: &Path,
    image: &Path,
    key: &str,
    owners: Owners,
    limit: u64,
) -> Result<(), BuildError> {
    let mut args: Vec<OsString> = ["-zlz4hc,9", "-C65536", "-x-1", "--quiet"].map(Into::into).to_vec();
    args.push(format!("-T{SOURCE_DATE_EPOCH}").into());
    args.push(format!("-U{}", uuid(key)).into());
    if owners == Owners::Root {
        args.push("--all-root".into());
    }
    args.extend([image.into(), tree.into()]);
    program::run("mkfs.erofs", args)?;
    let have = fs::metadata(image).map_err(at(image))?.len();
    if have > limit {
        return Err(BuildError::RootTooBig { have, limit });
    }
    let file = fs::OpenOptions::new().write(true).open(image).map_err(at(image))?;
    file.set_len(have.next_multiple_of(1 << 20)).map_err(at(image))
}

/// A UUID of version 8 (RFC 9562) from 32 hexadecimal digits.
fn uuid(key: &str) -> String {
    let digit = |at: usize| key.get(at..=at).unwrap_or("0");
    let part = |from: usize, to: usize| (from..to).map(digit).collect::<String>();
    format!("{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uuid_comes_from_the_key() {
        assert_eq!(uuid("0123456789abcdef0123456789abcdef"), "01234567-89ab-8def-8123-456789abcdef");
        assert_eq!(uuid("").len(), 36);
    }
}
