//! Artifacts, beside the tables: each under the name of its bytes.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use cairn_contract::Digest;

use super::{BackupError, RestoreError};
use crate::Blobs;

/// Copies those that are not there yet; how many there are then.
pub(super) async fn save(blobs: &Blobs, to: &Path) -> Result<u64, BackupError> {
    let (blobs, to) = (blobs.clone(), to.to_owned());
    let saved = tokio::task::spawn_blocking(move || {
        let mut count: u64 = 0;
        for digest in list(blobs.root()).map_err(at(blobs.root()))? {
            let target = place(&to, &digest);
            if !target.exists() {
                // Gone meanwhile: whoever removed it has removed its row before, or will.
                let Some((file, _)) = blobs.open(&digest).map_err(|e| at(&target)(io::Error::other(e)))?
                else {
                    continue;
                };
                keep(&blobs.path(&digest), file, &target).map_err(at(&target))?;
            }
            count = count.saturating_add(1);
        }
        Ok(count)
    });
    saved.await.unwrap_or_else(|e| Err(at(Path::new("blobs"))(io::Error::other(e))))
}

fn at(path: &Path) -> impl Fn(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::File { path: path.clone(), source }
}

/// Takes those that are not here yet, each checked; how many there are.
pub(super) async fn fetch(from: &Path, blobs: &Blobs) -> Result<u64, RestoreError> {
    let (from, blobs) = (from.join("blobs"), blobs.clone());
    let fetched = tokio::task::spawn_blocking(move || {
        let failed = |path: &Path, source| RestoreError::File { path: path.to_owned(), source };
        let mut count: u64 = 0;
        for digest in list(&from).map_err(|e| failed(&from, e))? {
            let path = source(&from, &digest);
            let file = File::open(&path).map_err(|e| failed(&path, e))?;
            if !take(file, &blobs, &digest).map_err(|e| failed(&path, e))? {
                return Err(RestoreError::Blob { path });
            }
            count = count.saturating_add(1);
        }
        Ok(count)
    });
    fetched.await.unwrap_or_else(|e| {
        Err(RestoreError::File { path: PathBuf::from("blobs"), source: io::Error::other(e) })
    })
}

/// Says whether it was what its name says; what is not, is not kept.
fn take(mut file: File, blobs: &Blobs, digest: &Digest) -> io::Result<bool> {
    let mut writer = blobs.writer().map_err(io::Error::other)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|b| !b.is_empty()) else { break };
        writer.write_all(bytes)?;
    }
    if writer.digest() != *digest {
        return Ok(false);
    }
    writer.finish().map_err(io::Error::other)?;
    Ok(true)
}

/// Everything under `ROOT/sha256/*/` whose name is a digest; nothing when there is no such folder.
fn list(root: &Path) -> io::Result<Vec<Digest>> {
    let folders = match fs::read_dir(root.join("sha256")) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        folders => folders?,
    };
    let mut found = Vec::new();
    for folder in folders {
        for file in fs::read_dir(folder?.path())? {
            let name = file?.file_name();
            found.extend(name.to_str().and_then(|name| name.parse::<Digest>().ok()));
        }
    }
    Ok(found)
}

fn place(to: &Path, digest: &Digest) -> PathBuf {
    source(&to.join("blobs"), digest)
}

fn source(root: &Path, digest: &Digest) -> PathBuf {
    let name = digest.to_string();
    root.join("sha256").join(name.get(..2).unwrap_or_default()).join(&name)
}

/// A second name of the same file where the backup is on the same disk: nobody ever changes a blob. Else a copy.
fn keep(from: &Path, file: File, target: &Path) -> io::Result<()> {
    let folder = target.parent().map(Path::to_owned).unwrap_or_default();
    fs::create_dir_all(&folder)?;
    match fs::hard_link(from, target) {
        Ok(()) => Ok(()),
        Err(_) => copy(file, target),
    }
}

fn copy(mut file: File, target: &Path) -> io::Result<()> {
    // Not a digest's name: a copy that was interrupted is not taken for one.
    let unfinished = target.with_extension("part");
    let mut out = File::create(&unfinished)?;
    io::copy(&mut file, &mut out)?;
    out.sync_all()?;
    fs::rename(&unfinished, target)
}
