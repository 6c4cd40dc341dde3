//! The file format: an uncompressed tar whose first member is JSON. Written and listed here; the provisioner reads it.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::SOURCE_DATE_EPOCH;
use crate::error::{BuildError, at};

/// The JSON of an installer bundle, member `installer.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallerManifest {
    /// Always `installer`.
    pub kind: String,
    /// `lab` or `metal`.
    pub flavour: String,
    /// Grows with each release.
    pub version: u64,
    /// `x86_64`.
    pub arch: String,
    /// The kernel's command line, to which the provisioner may add.
    pub cmdline: String,
    /// Text of os-release(5).
    pub os_release: String,
}

/// The JSON of an OS bundle, member `image.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageManifest {
    /// Always `os`.
    pub kind: String,
    /// The image's name.
    pub name: String,
    /// Grows with each release.
    pub version: u64,
    /// The system's version, for people.
    pub os_version: String,
    /// `x86_64`.
    pub arch: String,
    /// The kernel's command line; the provisioner adds `cairn.slot=`.
    pub cmdline: String,
    /// Text of os-release(5).
    pub os_release: String,
    /// Size of each root partition.
    pub root_mib: u32,
    /// Size of the EFI system partition.
    pub esp_mib: u32,
}

/// A member: its name and the file that holds it.
pub(crate) type Member = (&'static str, PathBuf);

/// Writes a bundle: the manifest first, then the members in this order. It appears under its name when it is whole.
pub(crate) fn write(
    out: &Path,
    name: &str,
    manifest: &impl Serialize,
    members: &[Member],
) -> Result<(), BuildError> {
    let mut json = serde_json::to_vec_pretty(manifest).map_err(BuildError::Manifest)?;
    json.push(b'\n');
    let parent = out.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(at(parent))?;
    let part = out.with_extension("part");
    let file = File::create(&part).map_err(at(&part))?;
    let mut tar = tar::Builder::new(io::BufWriter::new(file));
    append(&mut tar, name, &json[..], u64::try_from(json.len()).unwrap_or(u64::MAX)).map_err(at(&part))?;
    for (name, path) in members {
        let source = File::open(path).map_err(at(path))?;
        let size = source.metadata().map_err(at(path))?.len();
        append(&mut tar, name, source, size).map_err(at(path))?;
    }
    let buffer = tar.into_inner().map_err(at(&part))?;
    buffer.into_inner().map_err(|error| at(&part)(error.into_error()))?;
    fs::rename(&part, out).map_err(at(out))
}

fn append<W: io::Write>(
    tar: &mut tar::Builder<W>,
    name: &str,
    data: impl io::Read,
    size: u64,
) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(SOURCE_DATE_EPOCH);
    header.set_entry_type(tar::EntryType::Regular);
    tar.append_data(&mut header, name, data)
}

/// What a bundle holds.
#[derive(Debug)]
pub struct Listing {
    /// The text of its manifest.
    pub manifest: String,
    /// Its members' names and bytes, the manifest first.
    pub members: Vec<(String, u64)>,
}

/// Lists a bundle.
///
/// # Errors
/// When the file is not a tar file whose first member is a text.
pub fn list(path: &Path) -> Result<Listing, BuildError> {
    let file = File::open(path).map_err(at(path))?;
    read(file).map_err(at(path))
}

fn read(file: impl io::Read) -> io::Result<Listing> {
    let mut listing = Listing { manifest: String::new(), members: Vec::new() };
    for entry in tar::Archive::new(file).entries()? {
        let mut entry = entry?;
        if listing.members.is_empty() {
            (&mut entry).take(64 << 10).read_to_string(&mut listing.manifest)?;
        }
        listing.members.push((entry.path()?.display().to_string(), entry.size()));
    }
    Ok(listing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> InstallerManifest {
        InstallerManifest {
            kind: "installer".into(),
            flavour: "lab".into(),
            version: 7,
            arch: "x86_64".into(),
            cmdline: "quiet".into(),
            os_release: "ID=x\n".into(),
        }
    }

    #[test]
    fn the_same_parts_give_the_same_bytes_whenever_they_are_written() {
        let dir = std::env::temp_dir().join(format!("cairn-bundle-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let part = dir.join("part");
        let mut written = Vec::new();
        for name in ["a", "b"] {
            fs::write(&part, b"kernel").unwrap();
            let out = dir.join(name);
            write(&out, "installer.json", &manifest(), &[("vmlinuz", part.clone())]).unwrap();
            written.push(fs::read(&out).unwrap());
        }
        assert_eq!(written[0], written[1]);
        let listing = list(&dir.join("a")).unwrap();
        assert_eq!(serde_json::from_str::<InstallerManifest>(&listing.manifest).unwrap(), manifest());
        assert_eq!(listing.members[1], ("vmlinuz".to_owned(), 6));
        fs::remove_dir_all(dir).unwrap();
    }
}
