//! A bundle: one uncompressed tar whose first member describes the rest. What an operator adds is untrusted input, so
//! names, sizes and counts are bounded; nothing is unpacked by path.

use std::{
    collections::BTreeMap,
    io::{self, Read, Seek, SeekFrom},
};

use serde::Deserialize;

/// Largest part, in bytes: a root file system.
const MAX_PART: u64 = 8 << 30;
/// Largest part that is read into memory, in bytes: an initramfs.
const MAX_LOADED: u64 = 256 << 20;
const MAX_PARTS: usize = 16;
const MAX_DESCRIPTION: u64 = 64 << 10;

/// Why a file is not a bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Reading it.
    #[error("cannot read the bundle")]
    Read(#[from] io::Error),
    /// Its first member is not a description.
    #[error("this is not a Cairn bundle: its first member is {0}, not installer.json or image.json")]
    NotABundle(String),
    /// The description.
    #[error("the bundle's description is not understood")]
    Description(#[source] serde_json::Error),
    /// A value that nothing can be stored or shown under.
    #[error("the bundle's {0}")]
    Value(&'static str),
    /// A limit.
    #[error("the bundle's member {0} is too large or one too many")]
    Limit(String),
    /// A part that must be there is not.
    #[error("the bundle has no {0}")]
    Missing(&'static str),
}

/// What the bundle is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Description {
    /// A generic installer for all sites: kernel, base initramfs, stub.
    Installer {
        /// `metal` or `lab`.
        flavour: String,
        /// Grows.
        version: u64,
        /// `x86_64`.
        arch: String,
        /// Kernel command line.
        cmdline: String,
        /// os-release(5).
        os_release: String,
    },
    /// An operating system.
    Os {
        /// Name.
        name: String,
        /// Grows.
        version: u64,
        /// For people.
        os_version: String,
        /// `x86_64`.
        arch: String,
        /// Kernel command line.
        cmdline: String,
        /// os-release(5).
        os_release: String,
        /// MiB of each root partition.
        root_mib: u32,
        /// MiB of the ESP.
        esp_mib: u32,
    },
}

impl Description {
    /// Operators type and read these values, and the database keeps them.
    fn check(self) -> Result<Self, BundleError> {
        let (Self::Installer { flavour: name, version, .. } | Self::Os { name, version, .. }) = &self;
        if cairn_domain::name::check(name).is_err() {
            return Err(BundleError::Value("name is not 1 to 63 of a-z, 0-9 and '-'"));
        }
        if i64::try_from(*version).is_err() {
            return Err(BundleError::Value("version is 2^63 or more"));
        }
        match &self {
            Self::Os { os_version, .. } if printable(os_version.as_bytes()) != *os_version => {
                Err(BundleError::Value("os_version is longer than 100 bytes or has control characters"))
            }
            _ => Ok(self),
        }
    }
}

/// An opened bundle over a seekable file.
#[derive(Debug)]
pub struct Bundle<R> {
    /// What it is.
    pub description: Description,
    parts: BTreeMap<String, (u64, u64)>,
    file: R,
}

impl<R: Read + Seek> Bundle<R> {
    /// Reads the description and the places of the parts.
    pub fn open(mut file: R) -> Result<Self, BundleError> {
        let mut description = None;
        let mut parts = BTreeMap::new();
        let mut archive = tar::Archive::new(&mut file);
        for entry in archive.entries_with_seek()? {
            let mut entry = entry?;
            let name = printable(&entry.path_bytes());
            let size = entry.size();
            if description.is_none() {
                if !matches!(name.as_str(), "installer.json" | "image.json") || size > MAX_DESCRIPTION {
                    return Err(BundleError::NotABundle(name));
                }
                let mut text = Vec::new();
                entry.read_to_end(&mut text)?;
                let read: Description = serde_json::from_slice(&text).map_err(BundleError::Description)?;
                description = Some(read.check()?);
            } else if size > MAX_PART || parts.len() >= MAX_PARTS || !entry.header().entry_type().is_file() {
                return Err(BundleError::Limit(name));
            } else {
                parts.insert(name, (entry.raw_file_position(), size));
            }
        }
        let description = description.ok_or_else(|| BundleError::NotABundle("missing".into()))?;
        Ok(Self { description, parts, file })
    }

    /// A small part in memory.
    pub fn load(&mut self, name: &'static str) -> Result<Vec<u8>, BundleError> {
        let (_, size) = self.place(name)?;
        if size > MAX_LOADED {
            return Err(BundleError::Limit(name.into()));
        }
        let mut bytes = Vec::new();
        self.reader(name)?.read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).ok() == Some(size) {
            Ok(bytes)
        } else {
            Err(BundleError::Limit(name.into()))
        }
    }

    /// A part as a stream of exactly its bytes.
    pub fn reader(&mut self, name: &'static str) -> Result<impl Read + '_, BundleError> {
        let (at, size) = self.place(name)?;
        self.file.seek(SeekFrom::Start(at))?;
        Ok((&mut self.file).take(size))
    }

    /// Bytes of a part.
    pub fn size(&self, name: &'static str) -> Result<u64, BundleError> {
        self.place(name).map(|(_, size)| size)
    }

    fn place(&self, name: &'static str) -> Result<(u64, u64), BundleError> {
        self.parts.get(name).copied().ok_or(BundleError::Missing(name))
    }
}

fn printable(name: &[u8]) -> String {
    cairn_domain::fact::plain(&String::from_utf8_lossy(name), 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(description: &serde_json::Value) -> Result<(), BundleError> {
        let mut tar = tar::Builder::new(Vec::new());
        let text = description.to_string();
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        tar.append_data(&mut header, "image.json", text.as_bytes()).unwrap();
        Bundle::open(io::Cursor::new(tar.into_inner().unwrap())).map(drop)
    }

    #[test]
    fn values_that_could_not_be_kept_or_shown_are_refused() {
        let with = |key: &str, value: serde_json::Value| {
            let mut description = serde_json::json!({
                "kind": "os", "name": "debian", "version": 1, "os_version": "12", "arch": "x86_64", "cmdline": "",
                "os_release": "", "root_mib": 1, "esp_mib": 64,
            });
            description[key] = value;
            open(&description)
        };
        with("version", i64::MAX.into()).unwrap();
        for (key, value) in [
            ("version", (1_u64 << 63).into()),
            ("name", "../x".into()),
            ("name", "\u{1b}[2J".into()),
            ("os_version", "\u{1b}[2J".into()),
            ("os_version", "1".repeat(101).into()),
        ] {
            assert!(matches!(with(key, value), Err(BundleError::Value(_))), "{key}");
        }
    }
}
