//! Archives and members, read back by the `cpio` crate and by the kernel's rules. That a kernel unpacks them is shown
//! by the boot check (data/README.md): its initrd has a frame, a second frame, and a plain member.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use cairn_uki::cpio::{Archive, ArchiveError, Device, DeviceKind};
use cairn_uki::initramfs::{CompressError, compress, join};
use cpio::newc::Reader;

/// `mode path [data or device]` of each entry.
fn list(mut bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let mut reader = Reader::new(bytes).unwrap();
        if reader.entry().is_trailer() {
            return lines;
        }
        let mut data = String::new();
        std::io::Read::read_to_string(&mut reader, &mut data).unwrap();
        let entry = reader.entry();
        assert_eq!((entry.uid(), entry.gid(), entry.mtime()), (0, 0, 0));
        let device = (entry.rdev_major(), entry.rdev_minor());
        lines.push(format!("{} {:o} {} {device:?} {data}", entry.ino(), entry.mode(), entry.name()));
        bytes = reader.finish().unwrap();
    }
}

#[test]
fn entries_are_sorted_numbered_and_have_their_parents() {
    let mut archive = Archive::new();
    archive.symlink("bin/sh", "busybox").unwrap();
    archive.device("dev/console", 0o600, Device { kind: DeviceKind::Character, major: 5, minor: 1 }).unwrap();
    archive.device("dev/vda", 0o660, Device { kind: DeviceKind::Block, major: 254, minor: 0 }).unwrap();
    archive.file("a/b/c", 0o644, "text").unwrap();
    archive.dir("a", 0o700).unwrap();
    let expected = [
        "1 40700 a (0, 0) ",
        "2 40755 a/b (0, 0) ",
        "3 100644 a/b/c (0, 0) text",
        "4 40755 bin (0, 0) ",
        "5 120777 bin/sh (0, 0) busybox",
        "6 40755 dev (0, 0) ",
        "7 20600 dev/console (5, 1) ",
        "8 60660 dev/vda (254, 0) ",
    ];
    assert_eq!(list(&archive.finish().unwrap()), expected);
}

#[test]
fn the_order_of_calls_does_not_matter() {
    let build = |names: [&str; 3]| {
        let mut archive = Archive::new();
        for name in names {
            archive.file(name, 0o600, name).unwrap();
        }
        archive.finish().unwrap()
    };
    assert_eq!(build(["x/y", "x/z", "w"]), build(["w", "x/z", "x/y"]));
}

#[test]
fn bad_and_taken_paths_are_refused() {
    let mut archive = Archive::new();
    archive.file("etc/passwd", 0o644, "").unwrap();
    for path in ["", "/etc", "etc/", "a//b", "../x", "a/./b", "a\0b", "TRAILER!!!"] {
        assert_eq!(archive.file(path, 0, ""), Err(ArchiveError::Path { path: path.into() }));
    }
    let taken = |path: &str| Err(ArchiveError::Duplicate { path: path.into() });
    assert_eq!(archive.file("etc/passwd", 0, ""), taken("etc/passwd"));
    assert_eq!(archive.file("etc/passwd/x", 0, ""), taken("etc/passwd"));
    assert_eq!(archive.file("etc", 0, ""), taken("etc"));
    assert_eq!(archive.dir("etc/passwd", 0), taken("etc/passwd"));
}

#[test]
fn a_member_is_one_frame_padded_to_four_bytes() {
    let mut archive = Archive::new();
    archive.file("data", 0o644, vec![5; 300_000]).unwrap();
    let archive = archive.finish().unwrap();
    assert_eq!(archive.len() % 4, 0);
    let member = compress(&archive, 19).unwrap();
    assert_eq!(member.len() % 4, 0);
    assert_eq!(member, compress(&archive, 19).unwrap());
    let frame = zstd::zstd_safe::find_frame_compressed_size(&member).unwrap();
    assert!(member[frame..].len() < 4 && member[frame..].iter().all(|b| *b == 0));
    assert_eq!(zstd::bulk::decompress(&member[..frame], archive.len()).unwrap(), archive);
    assert!(matches!(compress(&archive, 20), Err(CompressError::Level { level: 20 })));
}

#[test]
fn joined_members_start_at_multiples_of_four() {
    assert_eq!(join(&[b"abcde", b"f"]), b"abcde\0\0\0f\0\0\0");
}
