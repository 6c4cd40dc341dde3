//! The FAT32 image, read back by fatfs, and by `fsck.vfat` and `mdir` where they are installed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::process::Command;

use cairn_uki::esp::{EspError, build};
use fatfs::{Dir, FatType, FileSystem, FsOptions, ReadWriteSeek};
use proptest::prelude::*;

type Files = BTreeMap<String, Vec<u8>>;

fn read_all<T: ReadWriteSeek>(dir: &Dir<'_, T>, prefix: &str, into: &mut Files) {
    for entry in dir.iter().map(Result::unwrap) {
        let name = entry.file_name();
        if entry.is_dir() && name != "." && name != ".." {
            read_all(&entry.to_dir(), &format!("{prefix}{name}/"), into);
        } else if entry.is_file() {
            let mut data = Vec::new();
            entry.to_file().read_to_end(&mut data).unwrap();
            into.insert(format!("{prefix}{name}"), data);
        }
    }
}

#[track_caller]
fn check(files: &Files, mib: u32) -> Vec<u8> {
    let list: Vec<_> = files.iter().map(|(path, data)| (path.as_str(), data.as_slice())).collect();
    let image = build(&list, mib, 0x1234_abcd).unwrap();
    assert_eq!(image.len(), mib as usize * 1024 * 1024);
    let volume = FileSystem::new(Cursor::new(image.clone()), FsOptions::new()).unwrap();
    assert_eq!((volume.fat_type(), volume.volume_id()), (FatType::Fat32, 0x1234_abcd));
    let mut found = Files::new();
    read_all(&volume.root_dir(), "", &mut found);
    assert_eq!(&found, files);
    image
}

fn sample() -> Files {
    let mut files = Files::new();
    files.insert("EFI/BOOT/BOOTX64.EFI".into(), vec![7; 1_000_001]);
    files.insert("EFI/Linux/a name with spaces, and more than thirteen letters.efi".into(), vec![1, 2, 3]);
    files.insert("loader/credentials/cairn.network.cred".into(), b"x".to_vec());
    files.insert("loader/.hidden".into(), Vec::new());
    for number in 0..40 {
        files.insert(format!("many/long-file-name-{number}.conf"), vec![number; 512]);
    }
    files
}

#[test]
fn files_are_read_back_under_their_long_names() {
    check(&sample(), 34);
    check(&sample(), 300);
}

#[test]
fn the_same_files_give_the_same_image() {
    let list = [("b", b"1".as_slice()), ("/a/Long name", b"2")];
    let turned = [("a/Long name", b"2".as_slice()), ("/b", b"1")];
    assert_eq!(build(&list, 34, 1).unwrap(), build(&turned, 34, 1).unwrap());
}

#[test]
fn fsck_and_mtools_agree() {
    let path = std::env::temp_dir().join(format!("cairn-uki-{}-esp.img", std::process::id()));
    for mib in [34, 64, 260] {
        std::fs::write(&path, check(&sample(), mib)).unwrap();
        let commands: [(&str, &[&str]); 2] = [("fsck.vfat", &["-n"]), ("mdir", &["-/", "-b", "-i"])];
        for (program, arguments) in commands {
            match Command::new(program).args(arguments).arg(&path).output() {
                Ok(output) => {
                    let said = String::from_utf8_lossy(&output.stdout).into_owned();
                    assert!(output.status.success(), "{program} {mib}: {said}");
                    assert!(program != "fsck.vfat" || said.lines().count() == 2, "{said}");
                    assert!(
                        program != "mdir" || said.contains("::/EFI/Linux/a name with spaces, and"),
                        "{said}"
                    );
                }
                Err(error) => {
                    eprintln!("SKIPPED: {program} cannot run ({error}); install dosfstools and mtools")
                }
            }
        }
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn bad_paths_sizes_and_full_volumes_are_refused() {
    let error = |files: &[(&str, &[u8])], mib| build(files, mib, 0).unwrap_err();
    assert_eq!(error(&[], 33), EspError::Size { mib: 33 });
    assert_eq!(error(&[], 2049), EspError::Size { mib: 2049 });
    for path in ["", "//a", "a//b", "a/", "..", "a/./b", "a:b", "a\\b", "nul\0", "dot.", "ü"] {
        assert_eq!(error(&[(path, b"")], 34), EspError::Path { path: path.into() });
    }
    let twice: [(&str, &[u8]); 2] = [("EFI/a", b""), ("efi/A", b"")];
    assert_eq!(error(&twice, 34), EspError::Duplicate { path: "efi/A".into() });
    let both: [(&str, &[u8]); 2] = [("EFI", b""), ("efi/A", b"")];
    assert_eq!(error(&both, 34), EspError::Duplicate { path: "efi/A".into() });
    assert_eq!(error(&[("big", &vec![1; 34 << 20])], 34), EspError::NoSpace { mib: 34 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_files_are_read_back(
        files in prop::collection::btree_map("[a-zA-Z0-9_~.-]{0,20}[a-zA-Z0-9]", prop::collection::vec(any::<u8>(), 0..2000), 0..30),
    ) {
        let mut folded = BTreeMap::new();
        for (name, data) in files {
            folded.insert(name.to_ascii_uppercase(), (name, data));
        }
        check(&folded.into_values().map(|(name, data)| (format!("dir/{name}"), data)).collect(), 34);
    }
}
