//! A tar archive in gzip to files in memory: no links, no devices, nothing outside, bounded before it is unpacked.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Component, Path},
};

use flate2::read::GzDecoder;
use tar::EntryType;

use super::Fault;

/// Files of one archive.
const MAX_FILES: usize = 4096;
/// Bytes of all files together, unpacked.
const MAX_UNPACKED: u64 = 32 << 20;

/// Files by their name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Unpacks what `packed` holds.
pub fn unpack(packed: impl Read) -> Result<Files, Fault> {
    // Headers and padding count too: an archive of empty files is bounded as well.
    let bounded = GzDecoder::new(packed).take(MAX_UNPACKED * 2);
    let mut archive = tar::Archive::new(bounded);
    let mut files = Files::new();
    let mut left = MAX_UNPACKED;
    let mut entries = 0;
    for entry in archive.entries().map_err(|e| unread(&e))? {
        let mut entry = entry.map_err(|e| unread(&e))?;
        entries += 1;
        if entries > 2 * MAX_FILES || files.len() > MAX_FILES {
            return Err(invalid(format!("it holds more than {MAX_FILES} files")));
        }
        let name = entry.path().map_err(|e| unread(&e))?.into_owned();
        let name = plain_name(&name)?;
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            other => {
                return Err(invalid(format!(
                    "{name} is a link or a device ({other:?}): only files and folders may be in it"
                )));
            }
        }
        let mut bytes = Vec::new();
        let read =
            entry.by_ref().take(left.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| unread(&e))?;
        left = left.checked_sub(u64::try_from(read).unwrap_or(u64::MAX)).ok_or_else(|| {
            invalid(format!("it is more than {} MiB when it is unpacked", MAX_UNPACKED >> 20))
        })?;
        if files.insert(name.clone(), bytes).is_some() {
            return Err(invalid(format!("{name} is in it twice")));
        }
    }
    Ok(files)
}

/// A relative path without `..`, with `/` between its parts.
pub(super) fn plain_name(path: &Path) -> Result<String, Fault> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str().ok_or_else(|| outside(path))?),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(outside(path)),
        }
    }
    let name = parts.join("/");
    if name.len() > 1024 || name.contains('\0') { Err(outside(path)) } else { Ok(name) }
}

fn outside(path: &Path) -> Fault {
    invalid(format!("{:?} is no name inside of it: relative, without `..`", path.display().to_string()))
}

fn unread(error: &std::io::Error) -> Fault {
    invalid(format!("it is no tar archive in gzip, or not whole: {error}"))
}

fn invalid(message: impl AsRef<str>) -> Fault {
    Fault::new("ArchiveInvalid", format!("the archive cannot be used: {}", message.as_ref()))
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use tar::{Builder, Header};

    use super::*;

    pub(in crate::render) fn packed(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, kind, bytes) in entries {
            let mut header = Header::new_gnu();
            // As an attacker would: the name as it is.
            let field = &mut header.as_old_mut().name;
            field[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            if *kind == EntryType::Symlink {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn files_come_out_under_their_names() {
        let bytes = packed(&[
            ("./chart/", EntryType::Directory, b""),
            ("./chart/a.yaml", EntryType::Regular, b"a: 1"),
            ("b", EntryType::Regular, b""),
        ]);
        let files = unpack(bytes.as_slice()).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["b", "chart/a.yaml"]);
        assert_eq!(files["chart/a.yaml"], b"a: 1");
    }

    #[test]
    fn what_leads_out_or_is_no_file_is_refused() {
        for (name, kind) in [
            ("../x", EntryType::Regular),
            ("a/../../x", EntryType::Regular),
            ("/etc/passwd", EntryType::Regular),
            ("link", EntryType::Symlink),
            ("hard", EntryType::Link),
            ("dev", EntryType::Char),
            ("fifo", EntryType::Fifo),
        ] {
            let fault = unpack(packed(&[(name, kind, b"")]).as_slice()).unwrap_err();
            assert_eq!(fault.reason, "ArchiveInvalid", "{name}");
        }
        let twice = packed(&[("a", EntryType::Regular, b"1"), ("./a", EntryType::Regular, b"2")]);
        assert!(unpack(twice.as_slice()).unwrap_err().message.contains("twice"));
    }

    #[test]
    fn bombs_and_pieces_are_refused() {
        let zeros = vec![0_u8; 40 << 20];
        let bomb = packed(&[("zeros", EntryType::Regular, &zeros)]);
        assert!(bomb.len() < 1 << 20);
        assert!(unpack(bomb.as_slice()).unwrap_err().message.contains("MiB"));
        let many: Vec<_> = (0..MAX_FILES + 2).map(|n| format!("f{n}")).collect();
        let many: Vec<_> = many.iter().map(|n| (n.as_str(), EntryType::Regular, &b""[..])).collect();
        assert!(unpack(packed(&many).as_slice()).is_err());
        let whole = packed(&[("a", EntryType::Regular, b"some text that is not empty")]);
        assert!(unpack(&whole[..whole.len() / 2]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_unpacked_or_refused(bytes: Vec<u8>) {
            let _ = unpack(bytes.as_slice());
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(&bytes).unwrap();
            let _ = unpack(gzip.finish().unwrap().as_slice());
        }
    }
}
