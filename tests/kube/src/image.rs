//! A small OCI archive, always the same bytes for the same programs: a static busybox as image of pods and as pause.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Debian's `busybox-static`.
const BUSYBOX: &str = "/bin/busybox";

/// Writes the archive to `file`, under each of `names` (such as `registry.k8s.io/pause:3.9`). The image's program is a long sleep;
/// a pod may run `/bin/busybox` with any other applet.
///
/// # Errors
/// When busybox is not installed or the file cannot be written.
pub fn write(file: &Path, names: &[&str]) -> io::Result<()> {
    let layer = layer(&fs::read(BUSYBOX)?)?;
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": { "Entrypoint": [BUSYBOX, "sleep", "2147483647"], "Env": ["PATH=/bin"] },
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    })
    .to_string();
    let described = |kind: &str, bytes: &[u8]| {
        let media = format!("application/vnd.oci.image.{kind}");
        json!({ "mediaType": media, "digest": digest(bytes), "size": bytes.len() })
    };
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described("config.v1+json", config.as_bytes()),
        "layers": [described("layer.v1.tar", &layer)],
    })
    .to_string();
    let named = names.iter().map(|name| {
        let mut entry = described("manifest.v1+json", manifest.as_bytes());
        entry["annotations"] = json!({ "io.containerd.image.name": name });
        entry
    });
    let index = json!({ "schemaVersion": 2, "manifests": named.collect::<Vec<_>>() }).to_string();
    let mut archive = tar::Builder::new(fs::File::create(file)?);
    append(&mut archive, "oci-layout", (br#"{"imageLayoutVersion":"1.0.0"}"#, 0o644))?;
    append(&mut archive, "index.json", (index.as_bytes(), 0o644))?;
    for blob in [layer.as_slice(), config.as_bytes(), manifest.as_bytes()] {
        append(&mut archive, &format!("blobs/{}", digest(blob).replace(':', "/")), (blob, 0o644))?;
    }
    archive.finish()
}

fn layer(busybox: &[u8]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for folder in ["bin/", "etc/", "tmp/", "www/"] {
        let mut header = header(0, 0o755);
        header.set_entry_type(tar::EntryType::Directory);
        archive.append_data(&mut header, folder, io::empty())?;
    }
    append(&mut archive, "bin/busybox", (busybox, 0o755))?;
    append(&mut archive, "www/index.html", (b"hello from a pod\n", 0o644))?;
    archive.into_inner()
}

fn append(
    archive: &mut tar::Builder<impl io::Write>,
    name: &str,
    (bytes, mode): (&[u8], u32),
) -> io::Result<()> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    archive.append_data(&mut header(size, mode), name, bytes)
}

fn header(size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_same_bytes_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let made = |name: &str| {
            let path = folder.path().join(name);
            super::write(&path, &["a.example/b:1"]).unwrap();
            std::fs::read(path).unwrap()
        };
        assert_eq!(made("x"), made("y"));
    }
}
