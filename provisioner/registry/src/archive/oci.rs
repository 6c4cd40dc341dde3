//! The image layout: `index.json` names manifests, which name content under `blobs/sha256/`.

use std::collections::BTreeMap;

use cairn_contract::Digest;
use serde::Deserialize;

use super::{ArchiveError, Imported, Unpacked, adopt, not_put};
use crate::{
    Manifest, Reference, RepositoryName, Tag,
    digest::written,
    parse_digest,
    store::{self, Layout},
};

/// Indexes in indexes; images have two at most.
const DEEPEST: u32 = 4;

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: Option<String>,
    digest: String,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

pub(super) fn import(
    layout: &Layout,
    name: &RepositoryName,
    archive: &Unpacked,
    index: &[u8],
) -> Result<Imported, ArchiveError> {
    let error = |source| ArchiveError::Index { path: "index.json", source };
    let index: Index = serde_json::from_slice(index).map_err(error)?;
    let mut images = Vec::new();
    for descriptor in &index.manifests {
        let digest = parse_digest(&descriptor.digest)?;
        let tag = tag(descriptor);
        let media_type = descriptor.media_type.as_deref();
        manifest((layout, name, archive), &digest, (media_type, tag.as_ref()), DEEPEST)?;
        images.push((digest, tag));
    }
    Ok(Imported { images, bytes: archive.bytes })
}

/// A bare tag, as skopeo writes it, or what follows the last colon of a whole name, as containerd does.
fn tag(descriptor: &Descriptor) -> Option<Tag> {
    let annotations = descriptor.annotations.as_ref()?;
    let named = annotations.get("org.opencontainers.image.ref.name")?;
    named.rsplit(':').next()?.parse().ok()
}

/// Puts a manifest after all that it needs.
fn manifest(
    (layout, name, archive): (&Layout, &RepositoryName, &Unpacked),
    digest: &Digest,
    (media_type, tag): (Option<&str>, Option<&Tag>),
    depth: u32,
) -> Result<(), ArchiveError> {
    let depth = depth.checked_sub(1).ok_or(ArchiveError::Deep)?;
    let bytes = match archive.small(digest)? {
        Some(bytes) => bytes,
        // Known from an earlier import.
        None => {
            let found = store::find(layout, name, &Reference::Digest(*digest))?;
            found.ok_or_else(|| ArchiveError::Lacks(written(digest)))?.bytes
        }
    };
    let parsed = Manifest::parse(&bytes, media_type);
    let parsed = parsed.map_err(|source| ArchiveError::Manifest { digest: *digest, source })?;
    for child in &parsed.children {
        if store::find(layout, name, &Reference::Digest(*child))?.is_none() {
            manifest((layout, name, archive), child, (None, None), depth)?;
        }
    }
    for content in &parsed.blobs {
        adopt(layout, name, &content.digest, archive.content(&content.digest))?;
    }
    store::put(layout, name, tag, (&parsed, &bytes)).map_err(not_put).map(drop)
}
