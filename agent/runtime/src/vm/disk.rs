//! Disks: images of the registry kept by digest, and each machine's own overlay upon them.
//!
//! Images are foreign: a qcow2 that names another file (backing file, external data) is refused, because QEMU would open that.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use cairn_contract::Digest;
use cairn_contract::workload::{Disk, DiskSource};
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::image::{Descriptor, Found, ImageError, Reference, Registry, parse_manifest};

const QCOW2: [u8; 4] = *b"QFI\xfb";
/// Incompatible feature "external data file", docs/interop/qcow2.
const EXTERNAL_DATA: u64 = 1 << 2;

/// Why a disk is not there.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Its image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// An image that is no disk.
    #[error("{image} holds no disk that can be used: {text}")]
    NoDisk {
        /// Which.
        image: String,
        /// Why.
        text: String,
    },
    /// A blank disk without a size.
    #[error("disk {0} is blank and has no size; set `sizeBytes`")]
    NoSize(String),
    /// A file.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// `qemu-img`.
    #[error("qemu-img failed: {0}")]
    QemuImg(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Raw,
    Qcow2,
}

/// Where images are kept, and what makes overlays.
#[derive(Debug)]
pub(super) struct Store<'a> {
    pub(super) images: &'a Path,
    pub(super) qemu_img: &'a Path,
    pub(super) registry: &'a dyn Registry,
}

impl Store<'_> {
    /// The file at `path` holds the disk; one that is there is left as it is.
    pub(super) async fn ensure(&self, disk: &Disk, path: &Path) -> Result<(), DiskError> {
        if path.exists() {
            return Ok(());
        }
        let new = path.with_extension("new");
        let mut args: Vec<String> = ["create", "-q", "-f", "qcow2"].map(str::to_owned).to_vec();
        match &disk.source {
            DiskSource::Blank => {
                let size = disk.size_bytes.ok_or_else(|| DiskError::NoSize(disk.name.clone()))?;
                args.extend([new.display().to_string(), size.to_string()]);
            }
            DiskSource::Image(image) => {
                let base = self.image(image).await?;
                let format = match inspect(&base, image)? {
                    Format::Raw => "raw",
                    Format::Qcow2 => "qcow2",
                };
                args.extend(["-b", &base.display().to_string(), "-F", format].map(str::to_owned));
                args.push(new.display().to_string());
                args.extend(disk.size_bytes.map(|s| s.to_string()));
            }
        }
        self.run(&args).await?;
        fs::rename(&new, path).map_err(file("rename", &new))
    }

    async fn run(&self, args: &[String]) -> Result<(), DiskError> {
        let mut command = Command::new(self.qemu_img);
        let output = command.args(args).stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output = output.map_err(file("run", self.qemu_img))?;
        if output.status.success() {
            return Ok(());
        }
        Err(DiskError::QemuImg(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    /// The image's disk as a file, fetched when it is not there.
    async fn image(&self, image: &str) -> Result<PathBuf, DiskError> {
        let of: Reference = image.parse().map_err(ImageError::from)?;
        let layers = self.layers(&of).await?;
        fs::create_dir_all(self.images).map_err(file("make", self.images))?;
        let artifact = matches!(layers.as_slice(), [one] if !one.media_type.contains("tar"));
        for layer in layers.iter().rev() {
            let path = self.images.join(format!("{}.img", layer.digest));
            if path.exists() {
                return Ok(path);
            }
            let fetched = self.images.join(format!("{}.fetched", layer.digest));
            self.fetch(&of, layer, &fetched).await?;
            let found = if artifact { Ok(Some(fetched.clone())) } else { unpack(&fetched, &path).await };
            let found = found.map_err(file("unpack", &fetched))?;
            if let Some(found) = found {
                inspect(&found, image).inspect_err(|_| drop(fs::remove_file(&found)))?;
                fs::rename(&found, &path).map_err(file("rename", &found))?;
            }
            let _was_renamed = fs::remove_file(&fetched);
            if path.exists() {
                return Ok(path);
            }
        }
        Err(DiskError::NoDisk {
            image: image.to_owned(),
            text: "no file below `disk/` in its layers".to_owned(),
        })
    }

    async fn layers(&self, of: &Reference) -> Result<Vec<Descriptor>, DiskError> {
        let image = of.to_string();
        let mut at = of.clone();
        for _ in 0..2 {
            let failed = |source| ImageError::Registry { image: image.clone(), source };
            let got = self.registry.manifest(&at).await.map_err(failed)?;
            if at.digest.is_some_and(|wanted| wanted != Digest::of(&got.bytes)) {
                return Err(ImageError::Mismatch { image, what: "the manifest".to_owned() }.into());
            }
            match parse_manifest(&got.bytes, &image)? {
                Found::Manifest(manifest) => return Ok(manifest.layers),
                Found::Index(inner) => at.digest = Some(inner.digest),
            }
        }
        Err(ImageError::Manifest { image, text: "an index in an index".to_owned() }.into())
    }

    async fn fetch(&self, of: &Reference, layer: &Descriptor, to: &Path) -> Result<(), DiskError> {
        let image = of.to_string();
        let failed = |source| ImageError::Registry { image: image.clone(), source };
        let mut blob = self.registry.blob(of, layer.digest).await.map_err(failed)?;
        let mut out = tokio::fs::File::create(to).await.map_err(file("make", to))?;
        let (mut hash, mut length) = (Sha256::new(), 0_u64);
        while let Some(piece) = blob.0.next().await {
            let broken = |source| ImageError::Broken { image: image.clone(), source };
            let piece = piece.map_err(broken)?;
            hash.update(&piece);
            length += piece.len() as u64;
            if length > layer.size {
                break;
            }
            out.write_all(&piece).await.map_err(file("write", to))?;
        }
        out.sync_all().await.map_err(file("write", to))?;
        let digest: [u8; 32] = hash.finalize().into();
        if length != layer.size || digest != layer.digest.0 {
            let _nothing_is_kept = fs::remove_file(to);
            let what = format!("blob sha256:{}", layer.digest);
            return Err(ImageError::Mismatch { image, what }.into());
        }
        Ok(())
    }
}

/// The first regular file below `disk/` of a layer, beside `to`.
async fn unpack(layer: &Path, to: &Path) -> io::Result<Option<PathBuf>> {
    let (layer, to) = (layer.to_owned(), to.with_extension("unpacked"));
    let unpacked = tokio::task::spawn_blocking(move || -> io::Result<Option<PathBuf>> {
        let mut archive = tar::Archive::new(decompressed(&layer)?);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let below = entry.path()?.to_string_lossy().trim_start_matches("./").starts_with("disk/");
            if below && entry.header().entry_type().is_file() {
                let mut out = File::create(&to)?;
                io::copy(&mut entry, &mut out)?;
                out.flush()?;
                return Ok(Some(to));
            }
        }
        Ok(None)
    });
    unpacked.await.unwrap_or_else(|e| Err(io::Error::other(e)))
}

fn decompressed(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = File::open(path)?;
    let mut magic = [0; 4];
    let read = file.read(&mut magic)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(match (magic, read) {
        ([0x1f, 0x8b, ..], 2..) => Box::new(flate2::read::GzDecoder::new(file)),
        ([0x28, 0xb5, 0x2f, 0xfd], 4) => Box::new(zstd::Decoder::new(file)?),
        _ => Box::new(file),
    })
}

/// Its format, if QEMU may open it.
fn inspect(path: &Path, image: &str) -> Result<Format, DiskError> {
    let mut head = Vec::new();
    let opened = File::open(path).and_then(|f| f.take(104).read_to_end(&mut head));
    opened.map_err(file("read", path))?;
    judge(&head).map_err(|text| DiskError::NoDisk { image: image.to_owned(), text: text.to_owned() })
}

/// By the header of qcow2: magic 0..4, version 4..8, backing file's offset 8..16, incompatible features 72..80.
fn judge(head: &[u8]) -> Result<Format, &'static str> {
    let number = |at: usize| {
        let bytes: Option<[u8; 8]> = head.get(at..at + 8).and_then(|b| b.try_into().ok());
        bytes.map_or(0, u64::from_be_bytes)
    };
    if head.is_empty() {
        return Err("it is empty");
    }
    if !head.starts_with(&QCOW2) {
        return Ok(Format::Raw);
    }
    if number(8) != 0 {
        return Err("its qcow2 names a backing file; flatten it with `qemu-img convert`");
    }
    let version = head.get(4..8).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes);
    if version >= 3 && number(72) & EXTERNAL_DATA != 0 {
        return Err("its qcow2 names an external data file; flatten it with `qemu-img convert`");
    }
    Ok(Format::Qcow2)
}

fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiskError {
    let path = path.to_owned();
    move |source| DiskError::File { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qcow2_that_names_another_file_is_refused() {
        let mut head = vec![0; 104];
        head.splice(0..8, *b"QFI\xfb\0\0\0\x03");
        assert_eq!(judge(&head), Ok(Format::Qcow2));
        let mut backed = head.clone();
        backed[15] = 1;
        assert!(judge(&backed).is_err());
        let mut external = head.clone();
        external[79] = 4;
        assert!(judge(&external).is_err());
        assert_eq!(judge(&[0; 512]), Ok(Format::Raw));
        assert!(judge(&[]).is_err());
    }
}
