//! Manifests with all that they need, as an OCI archive.

use std::{
    collections::HashSet,
    io::{self, Read, Write},
};

use cairn_contract::Digest;
use serde_json::{Value, json};
use tar::{Builder, Header};

use super::ArchiveError;
use crate::{
    Kind, Manifest, Reference, RepositoryName,
    digest::written,
    store::{self, Layout, Stored},
};

/// Indexes in indexes; images have two at most.
const DEEPEST: u32 = 4;

struct Export<'a, W: Write> {
    layout: &'a Layout,
    name: &'a RepositoryName,
    tar: Builder<W>,
    done: HashSet<Digest>,
}

pub(super) fn export<W: Write>(
    layout: &Layout,
    name: &RepositoryName,
    references: &[Reference],
    writer: W,
) -> Result<W, ArchiveError> {
    let mut export = Export { layout, name, tar: Builder::new(writer), done: HashSet::new() };
    export.text("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let mut manifests = Vec::new();
    for reference in references {
        let stored = export.find(reference)?;
        manifests.push(described(&stored, reference));
        export.manifest(stored, DEEPEST)?;
    }
    let index = json!({ "schemaVersion": 2, "mediaType": Kind::Index.media_type(), "manifests": manifests });
    export.text("index.json", index.to_string().as_bytes())?;
    Ok(export.tar.into_inner()?)
}

fn described(stored: &Stored, reference: &Reference) -> Value {
    let (media_type, digest) = (stored.kind.media_type(), written(&stored.digest));
    let mut descriptor = json!({ "mediaType": media_type, "digest": digest, "size": stored.bytes.len() });
    if let (Reference::Tag(tag), Some(fields)) = (reference, descriptor.as_object_mut()) {
        fields.insert("annotations".into(), json!({ "org.opencontainers.image.ref.name": tag.as_str() }));
    }
    descriptor
}

impl<W: Write> Export<'_, W> {
    fn find(&self, reference: &Reference) -> Result<Stored, ArchiveError> {
        let absent = || match reference {
            Reference::Tag(tag) => ArchiveError::Absent(tag.to_string()),
            Reference::Digest(digest) => ArchiveError::Absent(written(digest)),
        };
        store::find(self.layout, self.name, reference)?.ok_or_else(absent)
    }

    fn manifest(&mut self, stored: Stored, depth: u32) -> Result<(), ArchiveError> {
        let depth = depth.checked_sub(1).ok_or(ArchiveError::Deep)?;
        if !self.done.insert(stored.digest) {
            return Ok(());
        }
        let parsed = Manifest::parse(&stored.bytes, Some(stored.kind.media_type()));
        let parsed = parsed.map_err(|source| ArchiveError::Manifest { digest: stored.digest, source })?;
        self.text(&content(&stored.digest), &stored.bytes)?;
        for child in &parsed.children {
            let child = self.find(&Reference::Digest(*child))?;
            self.manifest(child, depth)?;
        }
        for blob in &parsed.blobs {
            self.blob(&blob.digest)?;
        }
        Ok(())
    }

    fn blob(&mut self, digest: &Digest) -> Result<(), ArchiveError> {
        if !self.done.insert(*digest) {
            return Ok(());
        }
        let found = store::open(self.layout, self.name, digest)?;
        let (file, size) = found.ok_or_else(|| ArchiveError::Absent(written(digest)))?;
        Ok(self.append(&content(digest), size, file)?)
    }

    fn text(&mut self, path: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        Ok(self.append(path, u64::try_from(bytes.len()).unwrap_or(u64::MAX), bytes)?)
    }

    /// The same archive each time: no owners, no times.
    fn append(&mut self, path: &str, size: u64, bytes: impl Read) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o644);
        header.set_mtime(0);
        self.tar.append_data(&mut header, path, bytes)
    }
}

fn content(digest: &Digest) -> String {
    format!("blobs/sha256/{digest}")
}
