//! A container image out of files: an OCI image layout in one uncompressed tar (image-spec v1.1, image-layout.md), the same bytes
//! for the same files. For stories that bring an image of their own; the product has no part in it.

use std::{io, path::Path};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A file of an image.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Without a leading slash.
    pub path: &'a str,
    /// Such as `0o755`.
    pub mode: u32,
    /// What it holds.
    pub content: &'a [u8],
}

/// Writes an image with one layer, tagged `tag`, that runs `command`, to `to`.
///
/// # Errors
/// When a file cannot be added or written.
pub fn archive(to: &Path, tag: &str, files: &[Entry<'_>], command: &[&str]) -> io::Result<()> {
    let mut layer = tar::Builder::new(Vec::new());
    for file in files {
        add(&mut layer, file.path, file.mode, file.content)?;
    }
    let layer = layer.into_inner()?;
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": { "Entrypoint": command, "WorkingDir": "/" },
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    });
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described("application/vnd.oci.image.config.v1+json", &config),
        "layers": [described("application/vnd.oci.image.layer.v1.tar", &layer)],
    });
    let manifest = manifest.to_string().into_bytes();
    let mut of_tag = described("application/vnd.oci.image.manifest.v1+json", &manifest);
    of_tag["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
    let index = json!({ "schemaVersion": 2, "manifests": [of_tag] }).to_string();

    let mut image = tar::Builder::new(io::BufWriter::new(std::fs::File::create(to)?));
    add(&mut image, "oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    add(&mut image, "index.json", 0o644, index.as_bytes())?;
    for blob in [&layer, &config, &manifest] {
        add(&mut image, &format!("blobs/{}", digest(blob).replace(':', "/")), 0o644, blob)?;
    }
    image.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn add(tar: &mut tar::Builder<impl io::Write>, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_mode(mode);
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, path, content)
}

fn described(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(bytes), "size": bytes.len() })
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_are_the_same_image_and_each_blob_is_named_as_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a.tar", "b.tar"].map(|name| folder.path().join(name));
        let files = [Entry { path: "bin/x", mode: 0o755, content: b"x" }];
        for path in &paths {
            archive(path, "1", &files, &["/bin/x"]).unwrap();
        }
        let [a, b] = paths.map(|path| std::fs::read(path).unwrap());
        assert_eq!(a, b);
        let mut blobs = 0;
        for entry in tar::Archive::new(a.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            if let Some(hex) = path.strip_prefix("blobs/sha256/") {
                let mut bytes = Vec::new();
                io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
                assert_eq!(digest(&bytes), format!("sha256:{hex}"));
                blobs += 1;
            }
        }
        assert_eq!(blobs, 3);
    }
}
