//! Manifests and tags of repositories.

use std::{io, path::Path};

use cairn_contract::Digest;

use super::{
    Layout,
    durable::{entries, lock, metadata, read, replace, sync_folder, unlink},
    layout::manifest_named,
};
use crate::{
    Kind, Manifest, Reference, RepositoryName, Tag,
    digest::{parse_hex, written},
    parse_digest,
};

/// A manifest that is here.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) digest: Digest,
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
}

/// Why a manifest was not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PutError {
    #[error("the repository has no blob {}: push it first", written(.0))]
    Blob(Digest),
    #[error("the blob {} has another size than the manifest says", written(.0))]
    Size(Digest),
    #[error("the repository has no manifest {}: push it first", written(.0))]
    Child(Digest),
    #[error("the manifest could not be written")]
    Write(#[from] io::Error),
}

/// What a reference names, if it is here.
pub(crate) fn find(
    layout: &Layout,
    name: &RepositoryName,
    reference: &Reference,
) -> io::Result<Option<Stored>> {
    let digest = match reference {
        Reference::Digest(digest) => Some(*digest),
        Reference::Tag(tag) => tagged(&layout.tag(name, tag))?,
    };
    let Some(digest) = digest else { return Ok(None) };
    for kind in Kind::ALL {
        if let Some(bytes) = read(&layout.manifest(name, &digest, kind))? {
            return Ok(Some(Stored { digest, kind, bytes }));
        }
    }
    Ok(None)
}

/// The digest that a tag's file holds.
fn tagged(path: &Path) -> io::Result<Option<Digest>> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    parse_digest(text.trim()).map(Some).map_err(io::Error::other)
}

fn kind_of(layout: &Layout, name: &RepositoryName, digest: &Digest) -> io::Result<Option<Kind>> {
    for kind in Kind::ALL {
        if metadata(&layout.manifest(name, digest, kind))?.is_some() {
            return Ok(Some(kind));
        }
    }
    Ok(None)
}

/// Keeps a manifest whose content is in the repository, and lets `tag` name it.
pub(crate) fn put(
    layout: &Layout,
    name: &RepositoryName,
    tag: Option<&Tag>,
    (manifest, bytes): (&Manifest, &[u8]),
) -> Result<Digest, PutError> {
    let digest = Digest::of(bytes);
    let _locked = lock(layout, name)?;
    complete(layout, name, manifest)?;
    // The referrer is first: one without its manifest is not shown, a manifest without its referrer would be lost.
    if let Some(subject) = &manifest.subject {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let descriptor = serde_json::to_vec(&manifest.descriptor(&digest, size)).map_err(io::Error::other)?;
        replace(&layout.referrer(name, subject, &digest), &descriptor)?;
    }
    if kind_of(layout, name, &digest)?.is_none() {
        replace(&layout.manifest(name, &digest, manifest.kind), bytes)?;
    }
    if let Some(tag) = tag {
        replace(&layout.tag(name, tag), format!("{}\n", written(&digest)).as_bytes())?;
    }
    Ok(digest)
}

/// Whether all that it needs is here.
fn complete(layout: &Layout, name: &RepositoryName, manifest: &Manifest) -> Result<(), PutError> {
    for content in &manifest.blobs {
        let found = metadata(&layout.blob(name, &content.digest))?;
        let found = found.ok_or(PutError::Blob(content.digest))?;
        if found.len() != content.size {
            return Err(PutError::Size(content.digest));
        }
    }
    for child in &manifest.children {
        kind_of(layout, name, child)?.ok_or(PutError::Child(*child))?;
    }
    Ok(())
}

/// Removes a tag; whether there was one.
pub(crate) fn delete_tag(layout: &Layout, name: &RepositoryName, tag: &Tag) -> io::Result<bool> {
    let _locked = lock(layout, name)?;
    remove_synced(&layout.tag(name, tag), &layout.tags(name))
}

/// Removes a manifest with all tags that name it; whether it was there.
pub(crate) fn delete_manifest(layout: &Layout, name: &RepositoryName, digest: &Digest) -> io::Result<bool> {
    let _locked = lock(layout, name)?;
    let Some(stored) = find(layout, name, &Reference::Digest(*digest))? else { return Ok(false) };
    // Tags that name nothing are not shown, so the manifest may go first.
    remove_synced(&layout.manifest(name, digest, stored.kind), &layout.manifests(name))?;
    for entry in entries(&layout.tags(name))? {
        let path = entry?.path();
        if tagged(&path).ok().flatten() == Some(*digest) {
            unlink(&path)?;
        }
    }
    let subject = Manifest::parse(&stored.bytes, Some(stored.kind.media_type())).ok().and_then(|m| m.subject);
    if let Some(subject) = subject {
        unlink(&layout.referrer(name, &subject, digest))?;
    }
    Ok(true)
}

fn remove_synced(path: &Path, folder: &Path) -> io::Result<bool> {
    let was = unlink(path)?;
    if was {
        sync_folder(folder)?;
    }
    Ok(was)
}

/// All manifests of a repository.
pub(crate) fn all(layout: &Layout, name: &RepositoryName) -> io::Result<Vec<(Digest, Kind)>> {
    let mut found = Vec::new();
    for entry in entries(&layout.manifests(name))? {
        found.extend(entry?.file_name().to_str().and_then(manifest_named));
    }
    Ok(found)
}

/// Whether a tag or a referrer has its manifest.
pub(crate) fn is_here(layout: &Layout, name: &RepositoryName, digest: &Digest) -> io::Result<bool> {
    kind_of(layout, name, digest).map(|kind| kind.is_some())
}

/// Whether the tag in this file names something.
pub(crate) fn names_something(layout: &Layout, name: &RepositoryName, tag: &Path) -> io::Result<bool> {
    tagged(tag).ok().flatten().map_or(Ok(false), |digest| is_here(layout, name, &digest))
}

/// A file's name as a digest.
pub(crate) fn named(path: &Path) -> Option<Digest> {
    path.file_name()?.to_str().and_then(parse_hex)
}
