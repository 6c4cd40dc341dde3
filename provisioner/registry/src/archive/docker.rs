//! What `docker save` and `skopeo copy ... docker-archive:` write: `manifest.json` names a config and uncompressed layers
//! by their paths. Each image gets an OCI manifest, because the archive has none.

use serde::Deserialize;
use serde_json::json;

use super::{ArchiveError, Imported, Unpacked, adopt, not_put};
use crate::{
    Kind, Manifest, RepositoryName, Tag,
    digest::written,
    store::{self, Layout},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

pub(super) fn import(
    layout: &Layout,
    name: &RepositoryName,
    archive: &Unpacked,
    manifest: &[u8],
) -> Result<Imported, ArchiveError> {
    let error = |source| ArchiveError::Index { path: "manifest.json", source };
    let described: Vec<Image> = serde_json::from_slice(manifest).map_err(error)?;
    let mut images = Vec::new();
    for image in &described {
        let bytes = written_as_oci(layout, name, archive, image)?;
        let media_type = Some(Kind::Image.media_type());
        let digest = cairn_contract::Digest::of(&bytes);
        let parsed = Manifest::parse(&bytes, media_type);
        let parsed = parsed.map_err(|source| ArchiveError::Manifest { digest, source })?;
        let tags: Vec<Tag> = image.repo_tags.iter().flatten().filter_map(|name| tag(name)).collect();
        store::put(layout, name, tags.first(), (&parsed, &bytes)).map_err(not_put)?;
        for more in tags.iter().skip(1) {
            store::put(layout, name, Some(more), (&parsed, &bytes)).map_err(not_put)?;
        }
        images.push((digest, tags.into_iter().next()));
    }
    Ok(Imported { images, bytes: archive.bytes })
}

fn tag(name: &str) -> Option<Tag> {
    name.rsplit_once(':')?.1.parse().ok()
}

/// Takes config and layers in, and says what they are.
fn written_as_oci(
    layout: &Layout,
    name: &RepositoryName,
    archive: &Unpacked,
    image: &Image,
) -> Result<Vec<u8>, ArchiveError> {
    let taken = |path: &str, media_type: &str| {
        let (digest, size) = archive.file(path).ok_or_else(|| ArchiveError::Lacks(path.to_owned()))?;
        adopt(layout, name, &digest, archive.content(&digest))?;
        Ok::<_, ArchiveError>(json!({ "mediaType": media_type, "digest": written(&digest), "size": size }))
    };
    let config = taken(&image.config, "application/vnd.oci.image.config.v1+json")?;
    let layer = "application/vnd.oci.image.layer.v1.tar";
    let layers = image.layers.iter().map(|path| taken(path, layer)).collect::<Result<Vec<_>, _>>()?;
    let media_type = Kind::Image.media_type();
    let manifest = json!({ "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers });
    Ok(manifest.to_string().into_bytes())
}
