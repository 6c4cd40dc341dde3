//! Reads a blob block by block, a large piece of the file at a time.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

use crate::shelf::{Blob, Content};

/// Bytes read from a file at once; a window of 16 blocks of 1468 bytes takes a tenth of it.
const PIECE: usize = 256 * 1024;

/// A blob that is being sent.
pub(super) struct Reader {
    file: Option<Arc<File>>,
    piece: Bytes,
    start: u64,
}

impl Reader {
    /// Opens the blob.
    pub(super) async fn open(blob: &Blob) -> io::Result<Self> {
        match &blob.content {
            Content::Memory(bytes) => Ok(Self { file: None, piece: bytes.clone(), start: 0 }),
            Content::File(path) => {
                let path = path.clone();
                let file = blocking(move || File::open(path)).await?;
                Ok(Self { file: Some(Arc::new(file)), piece: Bytes::new(), start: 0 })
            }
        }
    }

    /// `len` bytes from `offset`; exactly so many, or an error.
    pub(super) async fn read(&mut self, offset: u64, len: u16) -> io::Result<Bytes> {
        if let Some(found) = self.cached(offset, usize::from(len)) {
            return Ok(found);
        }
        let Some(file) = &self.file else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        let file = Arc::clone(file);
        self.piece = blocking(move || read_piece(&file, offset)).await?;
        self.start = offset;
        self.cached(offset, usize::from(len)).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn cached(&self, offset: u64, len: usize) -> Option<Bytes> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        let to = from.checked_add(len)?;
        (to <= self.piece.len()).then(|| self.piece.slice(from..to))
    }
}

fn read_piece(file: &File, offset: u64) -> io::Result<Bytes> {
    let mut piece = vec![0; PIECE];
    let mut filled = 0;
    while let Some(rest) = piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
        match file.read_at(rest, at) {
            Ok(0) => break,
            Ok(got) => filled = filled.saturating_add(got),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    piece.truncate(filled);
    Ok(Bytes::from(piece))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
