//! Images out of a file: the OCI image layout in a tar archive (`skopeo copy … oci-archive:`, `buildah push … oci-archive:`).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use cairn_contract::Digest;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::content::{self, Wanted};
use super::manifest::MAX_MANIFEST;
use super::pull::{Image, Images};
use super::{Blob, Descriptor, ImageError};

const PIECE: usize = 1 << 20;
const MAX_ENTRIES: usize = 10_000;

/// Where a blob lies in the file.
#[derive(Debug, Clone, Copy)]
struct Extent {
    digest: Digest,
    at: u64,
    size: u64,
}

#[derive(Debug, Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

impl Images {
    /// Puts the images of an OCI archive into containerd, under `name` or the names that the archive gives them.
    ///
    /// # Errors
    /// It is no such archive, or bytes in it do not match their digest: then nothing is named.
    pub async fn import(&self, path: &Path, name: Option<&str>) -> Result<Vec<Image>, ImageError> {
        let of = path.to_owned();
        let read = tokio::task::spawn_blocking(move || survey(&of)).await;
        let read = read.unwrap_or_else(|e| Err(io::Error::other(e)));
        let bad = |text: String| ImageError::Archive { path: path.to_owned(), text };
        let (index, extents) = read.map_err(|e| bad(e.to_string()))?;
        let index: Index = serde_json::from_slice(&index).map_err(|e| bad(format!("its index.json: {e}")))?;
        let mut named = Vec::new();
        for entry in &index.manifests {
            named.push((
                name_of(entry, name).ok_or_else(|| bad("an image in it has no name".to_owned()))?,
                entry,
            ));
        }
        if named.is_empty() {
            return Err(bad("there is no image in it".to_owned()));
        }
        let _turn = self.turn.lock().await;
        let lease = self.lease().await?;
        let imported = self.take_in(path, &named, &extents, &lease).await;
        self.release(&lease).await;
        imported
    }

    async fn take_in(
        &self,
        path: &Path,
        named: &[(String, &Descriptor)],
        extents: &[Extent],
        lease: &str,
    ) -> Result<Vec<Image>, ImageError> {
        let image = path.display().to_string();
        for extent in extents {
            let what = format!("blob sha256:{}", extent.digest);
            let (digest, size, labels) = (extent.digest, extent.size, Default::default());
            let wanted = Wanted { image: &image, what: &what, digest, size, labels, lease };
            if !content::adopt(&self.engine, &wanted).await? {
                content::write(&self.engine, &wanted, blob(path.to_owned(), *extent)).await?;
            }
        }
        let mut images = Vec::new();
        for (name, entry) in named {
            images.push(self.keep_imported(name, entry.digest, lease).await?);
        }
        Ok(images)
    }
}

fn name_of(entry: &Descriptor, given: Option<&str>) -> Option<String> {
    let annotated = |key: &str| entry.annotations.get(key).cloned();
    let given = given.map(str::to_owned);
    let text = given
        .or_else(|| annotated("io.containerd.image.name"))
        .or_else(|| annotated("org.opencontainers.image.ref.name"))?;
    text.parse::<super::Reference>().ok().map(|r| r.to_string())
}

/// `index.json`, and where the blobs are. Other entries are passed over; none is written anywhere by its name.
fn survey(path: &Path) -> io::Result<(Vec<u8>, Vec<Extent>)> {
    let mut archive = tar::Archive::new(File::open(path)?);
    let (mut index, mut extents) = (None, Vec::new());
    for (number, entry) in archive.entries_with_seek()?.enumerate() {
        let mut entry = entry?;
        if number >= MAX_ENTRIES {
            return Err(io::Error::other("it has more than 10,000 entries"));
        }
        let name = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
        if name == "index.json" {
            let mut text = Vec::new();
            entry.by_ref().take(MAX_MANIFEST as u64).read_to_end(&mut text)?;
            index = Some(text);
        } else if let Some(digest) = name.strip_prefix("blobs/sha256/").and_then(|hex| hex.parse().ok()) {
            extents.push(Extent { digest, at: entry.raw_file_position(), size: entry.size() });
        }
    }
    let index = index.ok_or_else(|| io::Error::other("there is no index.json in it"))?;
    Ok((index, extents))
}

/// Reads in a thread of its own; a receiver that goes away ends it.
fn blob(path: PathBuf, extent: Extent) -> Blob {
    let (tell, told) = mpsc::channel::<io::Result<Bytes>>(2);
    let reader = tokio::task::spawn_blocking(move || {
        let read = || -> io::Result<()> {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(extent.at))?;
            let mut rest = file.take(extent.size);
            loop {
                let mut piece = Vec::new();
                if rest.by_ref().take(PIECE as u64).read_to_end(&mut piece)? == 0 {
                    return Ok(());
                }
                if tell.blocking_send(Ok(piece.into())).is_err() {
                    return Ok(());
                }
            }
        };
        if let Err(error) = read() {
            let _gone = tell.blocking_send(Err(error));
        }
    });
    let state = (told, reader);
    Blob(Box::pin(futures_util::stream::unfold(state, |(mut told, reader)| async move {
        told.recv().await.map(|piece| (piece, (told, reader)))
    })))
}
