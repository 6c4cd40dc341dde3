//! Reading a tar archive into a folder that nobody else looks into, without believing a word of it.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, OpenOptions},
    io::{self, Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use cairn_contract::Digest;
use ring::digest::{Context, SHA256};
use tar::{Archive, Entry, EntryType};
use uuid::Uuid;

use super::{ArchiveError, Limits};
use crate::{manifest::LARGEST, store::Layout};

/// Where an image layout keeps content.
const CONTENT: &str = "blobs/sha256/";

/// The content of an archive. Its folder is gone when this is.
pub(super) struct Unpacked {
    folder: PathBuf,
    pub(super) index: Option<Vec<u8>>,
    pub(super) manifest: Option<Vec<u8>>,
    /// All other files by their paths.
    files: BTreeMap<String, Digest>,
    staged: HashMap<Digest, u64>,
    pub(super) bytes: u64,
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        // What stays is removed with stale uploads.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Unpacked {
    pub(super) fn read(reader: impl Read, layout: &Layout, limits: Limits) -> Result<Self, ArchiveError> {
        let folder = layout.imports().join(Uuid::new_v4().simple().to_string());
        fs::create_dir_all(&folder)?;
        let mut this = Self {
            folder,
            index: None,
            manifest: None,
            files: BTreeMap::new(),
            staged: HashMap::new(),
            bytes: 0,
        };
        let mut archive = Archive::new(reader);
        let mut entries: u64 = 0;
        for entry in archive.entries().map_err(ArchiveError::Read)? {
            let mut entry = entry.map_err(ArchiveError::Read)?;
            entries += 1;
            if entries > limits.entries {
                return Err(ArchiveError::Large("too many entries"));
            }
            this.entry(&mut entry, limits)?;
        }
        Ok(this)
    }

    /// Where content with this digest is, if the archive had it.
    pub(super) fn content(&self, digest: &Digest) -> Option<PathBuf> {
        self.staged.contains_key(digest).then(|| self.folder.join(digest.to_string()))
    }

    /// What is at a path.
    pub(super) fn file(&self, path: &str) -> Option<(Digest, u64)> {
        let digest = self.files.get(path)?;
        Some((*digest, *self.staged.get(digest)?))
    }

    /// A file that is small enough to be a manifest.
    pub(super) fn small(&self, digest: &Digest) -> Result<Option<Vec<u8>>, ArchiveError> {
        let Some(path) = self.content(digest) else { return Ok(None) };
        match fs::File::open(path) {
            Ok(file) => Ok(Some(bounded(file)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn entry<R: Read>(&mut self, entry: &mut Entry<'_, R>, limits: Limits) -> Result<(), ArchiveError> {
        let path = safe_path(&entry.path_bytes())?;
        self.bytes = self.bytes.saturating_add(entry.size());
        if self.bytes > limits.bytes {
            return Err(ArchiveError::Large("too many bytes"));
        }
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => self.regular(entry, path),
            EntryType::Directory => Ok(()),
            // Those of `docker save` beside the layers; never followed, so what only a link names is missing.
            EntryType::Link | EntryType::Symlink if !is_of_a_layout(&path) => Ok(()),
            EntryType::XGlobalHeader => Ok(()),
            _ => Err(ArchiveError::Kind(path)),
        }
    }

    fn regular<R: Read>(&mut self, entry: &mut Entry<'_, R>, path: String) -> Result<(), ArchiveError> {
        match path.as_str() {
            "index.json" => self.index = Some(bounded(entry)?),
            "manifest.json" => self.manifest = Some(bounded(entry)?),
            _ => {
                let (digest, size) = self.stage(entry)?;
                if path.strip_prefix(CONTENT).is_some_and(|name| name != digest.to_string()) {
                    return Err(ArchiveError::Content { path, found: digest });
                }
                self.files.insert(path, digest);
                self.staged.insert(digest, size);
            }
        }
        Ok(())
    }

    /// Writes and hashes.
    fn stage(&self, reader: &mut impl Read) -> Result<(Digest, u64), ArchiveError> {
        let temporary = self.folder.join("unfinished");
        let mut open = OpenOptions::new();
        let mut file = open.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        let (mut hash, mut size) = (Context::new(&SHA256), 0_u64);
        let mut buffer = vec![0; 1 << 18];
        loop {
            let read = reader.read(&mut buffer).map_err(ArchiveError::Read)?;
            let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { break };
            file.write_all(part)?;
            hash.update(part);
            size = size.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        }
        let digest = Digest(hash.finish().as_ref().try_into().map_err(io::Error::other)?);
        fs::rename(&temporary, self.folder.join(digest.to_string()))?;
        Ok((digest, size))
    }
}

/// Files without which a layout is none.
fn is_of_a_layout(path: &str) -> bool {
    path.starts_with("blobs/") || ["index.json", "manifest.json", "oci-layout"].contains(&path)
}

/// A path as text, without `./` at its beginning; one that leads elsewhere is refused.
fn safe_path(bytes: &[u8]) -> Result<String, ArchiveError> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if text.starts_with('/') || parts.contains(&"..") || text.contains('\0') {
        return Err(ArchiveError::Path(text));
    }
    Ok(parts.join("/"))
}

fn bounded(reader: impl Read) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    let most = u64::try_from(LARGEST).unwrap_or(u64::MAX);
    reader.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(ArchiveError::Read)?;
    if bytes.len() > LARGEST { Err(ArchiveError::Large("an index or a manifest")) } else { Ok(bytes) }
}
