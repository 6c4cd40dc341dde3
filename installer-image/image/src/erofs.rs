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

    /// Writes the files in this order, each with the time of its writing.
    fn image_of(names: &[&str], label: &str) -> Vec<u8> {
        let dir = std::env::temp_dir().join(format!("cairn-erofs-{}-{label}", std::process::id()));
        let tree = dir.join("tree");
        fs::create_dir_all(&tree).unwrap();
        for name in names {
            fs::write(tree.join(name), name.repeat(5000)).unwrap();
        }
        let image = dir.join("image");
        build(&tree, &image, "0123456789abcdef0123456789abcdef", Owners::Root, 1 << 20).unwrap();
        let bytes = fs::read(&image).unwrap();
        fs::remove_dir_all(dir).unwrap();
        bytes
    }

    #[test]
    fn neither_order_nor_time_of_writing_changes_the_image() {
        let first = image_of(&["a", "b", "c"], "first");
        std::thread::sleep(std::time::Duration::from_millis(1100));
        assert!(first == image_of(&["c", "a", "b"], "second"), "the images differ");
        assert_eq!(first.len() % (1 << 20), 0);
    }

    #[test]
    fn a_root_that_does_not_fit_its_partition_is_refused() {
        let dir = std::env::temp_dir().join(format!("cairn-erofs-{}-big", std::process::id()));
        fs::create_dir_all(dir.join("tree")).unwrap();
        let built = build(&dir.join("tree"), &dir.join("image"), "", Owners::Root, 100);
        assert!(matches!(built, Err(BuildError::RootTooBig { limit: 100, .. })));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_uuid_comes_from_the_key() {
        assert_eq!(uuid("0123456789abcdef0123456789abcdef"), "01234567-89ab-8def-8123-456789abcdef");
        assert_eq!(uuid("").len(), 36);
    }
}
