//! A small image as an OCI image layout in a folder: what skopeo and ctr push from.

use std::{fs, path::Path};

use serde_json::json;

use super::{IMAGE, INDEX, digest};

/// Writes the layout of an image with one uncompressed layer, which holds one file; its manifest's digest.
pub(crate) fn write(folder: &Path, tag: &str, content: &[u8]) -> String {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let keep = |bytes: &[u8]| {
        let name = digest(bytes);
        fs::write(blobs.join(&name[7..]), bytes).unwrap();
        name
    };
    let layer = layer(content);
    let layer_digest = keep(&layer);
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": { "Cmd": ["/hello"] },
        "rootfs": { "type": "layers", "diff_ids": [layer_digest] },
    });
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": IMAGE,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": keep(&config), "size": config.len() },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer_digest, "size": layer.len() }],
    });
    let manifest = manifest.to_string().into_bytes();
    let name = keep(&manifest);
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX,
        "manifests": [{
            "mediaType": IMAGE, "digest": name, "size": manifest.len(),
            "platform": { "architecture": "amd64", "os": "linux" },
            "annotations": { "org.opencontainers.image.ref.name": tag },
        }],
    });
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    name
}

fn layer(content: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o755);
    tar.append_data(&mut header, "hello", content).unwrap();
    tar.into_inner().unwrap()
}
