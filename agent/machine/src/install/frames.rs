//! The pipeline: fetch, verify, unpack, write. Bounded memory: at most eight frames are in flight, and their memory goes
//! round, since fresh pages cost as much as the copying.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};

use cairn_contract::{Frame, ImageManifest, Role};
use tokio::sync::mpsc as async_mpsc;

use super::fetch::{Fetch, Stream};
use super::{InstallError, Watch};
use crate::disk::{Buffer, Target};
use crate::layout::Layout;

/// Compressed frames between the network and the unpacking thread.
const AHEAD: usize = 3;
/// Raw frames between unpacking and the disk.
const BEHIND: usize = 2;

/// One frame and where it belongs.
#[derive(Debug, Clone, Copy)]
struct Task {
    role: Role,
    index: usize,
    frame: Frame,
    /// Offset on the disk.
    offset: u64,
}

/// A frame as it came.
type Packed = (Task, Vec<u8>);
/// A frame unpacked.
type Raw = (Task, Buffer);

/// Everything to do, in order.
#[derive(Debug)]
pub(super) struct Work {
    tasks: Vec<Task>,
    /// Ranges of the disk (offset, length) that no frame covers and that must read as zero.
    zeros: Vec<(u64, u64)>,
}

impl Work {
    /// Root A, root B, data, and the ESP last: without it nothing boots.
    pub(super) fn of(image: &ImageManifest, layout: &Layout) -> Self {
        let mut work = Self { tasks: Vec::new(), zeros: Vec::new() };
        for role in [Role::RootA, Role::RootB, Role::Data, Role::Esp] {
            let (Some(place), Some(part)) =
                (layout.place(role), image.partitions.iter().find(|p| p.role == role))
            else {
                continue;
            };
            let mut covered = 0;
            for (index, frame) in part.frames.iter().enumerate() {
                work.gap(place.start, covered, frame.offset);
                covered = frame.offset.saturating_add(u64::from(frame.raw_len));
                work.tasks.push(Task { role, index, frame: *frame, offset: place.start + frame.offset });
            }
            work.gap(place.start, covered, part.size);
        }
        work
    }

    fn gap(&mut self, base: u64, from: u64, to: u64) {
        if let Some(len) = to.checked_sub(from).filter(|n| *n > 0) {
            self.zeros.push((base + from, len));
        }
    }

    /// Runs of tasks whose frames lie one after another in the blob: one request each.
    fn runs(&self) -> impl Iterator<Item = &[Task]> {
        self.tasks.chunk_by(|a, b| a.frame.at.checked_add(u64::from(a.frame.len)) == Some(b.frame.at))
    }
}

/// Runs the pipeline to its end or its first error.
pub(super) async fn write<F: Fetch>(
    work: &Work,
    target: Arc<Target>,
    fetch: &mut F,
    watch: Arc<Watch>,
) -> Result<(), InstallError> {
    let (fetched, to_unpack) = async_mpsc::channel(AHEAD);
    let (unpacked, to_write) = mpsc::sync_channel(BEHIND);
    let (spent_bytes, bytes_again) = mpsc::channel();
    let (spent_buffer, buffer_again) = mpsc::channel();
    let zeros = work.zeros.clone();
    let writer = std::thread::spawn({
        let watch = watch.clone();
        move || write_all(&target, &zeros, (&to_write, &spent_buffer), &watch)
    });
    let unpacker =
        std::thread::spawn(move || unpack_all(to_unpack, &spent_bytes, (&unpacked, &buffer_again)));
    let download = fetch_all(work, fetch, (fetched, bytes_again), &watch).await;

    // `fetched` is gone: the threads end after what they hold. Joining blocks for at most a few frames' time.
    let joined = tokio::task::spawn_blocking(move || (unpacker.join(), writer.join())).await;
    let (unpack, write) = joined.map_err(|_| InstallError::Broken)?;
    // The stage furthest down the pipe knows best: its end closes the channels above it.
    write.map_err(|_| InstallError::Broken)??;
    unpack.map_err(|_| InstallError::Broken)??;
    download
}

async fn fetch_all<F: Fetch>(
    work: &Work,
    fetch: &mut F,
    (to, again): (async_mpsc::Sender<Packed>, Receiver<Vec<u8>>),
    watch: &Watch,
) -> Result<(), InstallError> {
    for run in work.runs() {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let len = (last.frame.at - first.frame.at).saturating_add(u64::from(last.frame.len));
        let mut stream = Stream::new(fetch, first.frame.at, len);
        for task in run {
            if watch.stopped() {
                return Err(InstallError::Stopped);
            }
            let mut bytes = again.try_recv().unwrap_or_default();
            let wanted = usize::try_from(task.frame.len).map_err(|_| InstallError::Broken)?;
            if let Err((at, source)) = stream.fill(&mut bytes, wanted, watch).await {
                return Err(if watch.stopped() {
                    InstallError::Stopped
                } else {
                    InstallError::Download { at, source }
                });
            }
            if to.send((*task, bytes)).await.is_err() {
                return Ok(()); // A later stage failed and says why.
            }
        }
    }
    Ok(())
}

fn unpack_all(
    mut from: async_mpsc::Receiver<Packed>,
    spent: &Sender<Vec<u8>>,
    (to, again): (&SyncSender<Raw>, &Receiver<Buffer>),
) -> Result<(), InstallError> {
    let mut zstd = zstd::bulk::Decompressor::new().map_err(|_| InstallError::Broken)?;
    while let Some((task, bytes)) = from.blocking_recv() {
        let (role, frame) = (task.role, task.index);
        let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
        if digest.as_ref() != task.frame.sha256.0 {
            return Err(InstallError::CorruptFrame { role, frame });
        }
        let wanted = raw_len(&task)?;
        let mut raw =
            again.try_recv().ok().filter(|b| b.len() >= wanted).unwrap_or_else(|| Buffer::new(wanted));
        let place = raw.get_mut(..wanted).ok_or(InstallError::Broken)?;
        match zstd.decompress_to_buffer(&bytes, place) {
            Ok(n) if n == wanted => {}
            _ => return Err(InstallError::BadFrame { role, frame }),
        }
        // Nobody takes it back at the end.
        let _ = spent.send(bytes);
        if to.send((task, raw)).is_err() {
            return Ok(()); // The writer failed and says why.
        }
    }
    Ok(())
}

fn raw_len(task: &Task) -> Result<usize, InstallError> {
    usize::try_from(task.frame.raw_len).map_err(|_| InstallError::Broken)
}

fn write_all(
    target: &Target,
    zeros: &[(u64, u64)],
    (from, spent): (&Receiver<Raw>, &Sender<Buffer>),
    watch: &Watch,
) -> Result<(), InstallError> {
    for (offset, len) in zeros {
        if watch.stopped() {
            return Err(InstallError::Stopped);
        }
        target.zero(*offset, *len).map_err(|source| InstallError::Disk { offset: *offset, source })?;
    }
    while let Ok((task, raw)) = from.recv() {
        if watch.stopped() {
            return Err(InstallError::Stopped);
        }
        let offset = task.offset;
        target
            .write(offset, &raw, raw_len(&task)?)
            .map_err(|source| InstallError::Disk { offset, source })?;
        watch.wrote(u64::from(task.frame.len));
        let _ = spent.send(raw);
    }
    Ok(())
}
