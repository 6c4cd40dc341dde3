//! Makes a disk empty, and reads back that it is.
//!
//! ```text
//!  erase      both ends zeroed (from here on it does not boot) -> discard, secure if it can -> every byte zeroed
//!  read_back  the plan's places: both ends, and those that its nonce chooses
//! ```
//! Called by the installer with a plan that holds and the one disk that matches it. A power cut in the middle leaves a disk that
//! does not boot; the wipe begins again.

use std::io;

use cairn_contract::wipe::{Discard, SampleDigest, WipePlan, Zeros};
use cairn_contract::{Digest, WipeReport};

use crate::clock;
use crate::disk::{Buffer, DiscardKind, Disk, Target};
use crate::install::Watch;

/// What the device zeroes or discards between two looks at whether to stop.
const STEP: u64 = 64 << 20;
/// A discard of more than this at once may look like a stalled installer.
const DISCARD_STEP: u64 = 1 << 30;
/// Partition tables lie in the first and last MiB.
const TABLES: u64 = 1 << 20;

/// Why a wipe ended.
#[derive(Debug, thiserror::Error)]
pub enum WipeError {
    /// The disk refused.
    #[error("the disk fails at byte {offset}")]
    Disk {
        /// Offset on the disk.
        offset: u64,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// It keeps data.
    #[error("the disk does not read as zero at byte {offset} after it was wiped")]
    NotZero {
        /// Offset of the first byte that is not zero.
        offset: u64,
    },
    /// The provisioner no longer wants it.
    #[error("stopped by the provisioner")]
    Stopped,
}

/// Wipes the whole disk and reads the plan's places back. What it returns is worth a signature.
///
/// # Errors
/// [`WipeError`]; the disk does not boot then.
pub fn run(plan: &WipePlan, disk: &Disk, target: &Target, watch: &Watch) -> Result<WipeReport, WipeError> {
    let started = clock::now();
    // By logical blocks, so that a backup table in the very last one is wiped as well.
    let block = u64::from(target.block()).max(512);
    let bytes = target.size() / block * block;
    let sampled = plan.places(bytes).fold(0, |sum: u64, (_, len)| sum.saturating_add(u64::from(len)));
    watch.begin(bytes.saturating_add(sampled));
    let zeros = if disk.zeroes_by_itself() { Zeros::Device } else { Zeros::Written };
    let discard = erase(target, bytes, watch)?;
    let (samples, samples_sha256) = read_back(plan, target, bytes, watch)?;
    let (wipe, disk, finished) = (plan.wipe, disk.info.clone(), clock::now());
    Ok(WipeReport { wipe, disk, bytes, discard, zeros, started, finished, samples, samples_sha256 })
}

fn erase(target: &Target, bytes: u64, watch: &Watch) -> Result<Discard, WipeError> {
    let failed = |offset| move |source| WipeError::Disk { offset, source };
    for offset in [0, bytes.saturating_sub(TABLES)] {
        target.zero(offset, TABLES.min(bytes)).map_err(failed(offset))?;
    }
    target.flush().map_err(failed(0))?;
    let discard = [(DiscardKind::Secure, Discard::Secure), (DiscardKind::Plain, Discard::Plain)];
    let mut done = Discard::None;
    for (kind, word) in discard {
        if discard_all(target, kind, bytes, watch)? {
            done = word;
            break;
        }
    }
    // A discarded block may read as anything: zeros follow in any case.
    for (offset, len) in steps(bytes, STEP) {
        if watch.stopped() {
            return Err(WipeError::Stopped);
        }
        target.zero(offset, len).map_err(failed(offset))?;
        watch.wrote(len);
    }
    target.flush().map_err(failed(0))?;
    Ok(done)
}

/// False if the device does not do it for the whole disk.
fn discard_all(target: &Target, kind: DiscardKind, bytes: u64, watch: &Watch) -> Result<bool, WipeError> {
    for (offset, len) in steps(bytes, DISCARD_STEP) {
        if watch.stopped() {
            return Err(WipeError::Stopped);
        }
        if let Err(error) = target.try_discard(kind, offset, len) {
            tracing::debug!(%error, ?kind, offset, "the disk does not discard");
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reads the plan's places from the medium.
fn read_back(
    plan: &WipePlan,
    target: &Target,
    bytes: u64,
    watch: &Watch,
) -> Result<(u32, Digest), WipeError> {
    let mut buffer = Buffer::new(usize::try_from(plan.sample.place_bytes.max(4096)).unwrap_or(0));
    let mut digest = SampleDigest::default();
    for (offset, len) in plan.places(bytes) {
        if watch.stopped() {
            return Err(WipeError::Stopped);
        }
        let wanted = usize::try_from(len).unwrap_or(usize::MAX);
        target.read(offset, &mut buffer, wanted).map_err(|source| WipeError::Disk { offset, source })?;
        let read = buffer.get(..wanted).unwrap_or_default();
        if let Some(at) = read.iter().position(|byte| *byte != 0) {
            return Err(WipeError::NotZero { offset: offset.saturating_add(at as u64) });
        }
        digest.add(offset, len, &sha256(read));
        watch.wrote(u64::from(len));
    }
    Ok(digest.finish())
}

fn sha256(bytes: &[u8]) -> Digest {
    let mut out = [0; 32];
    out.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    Digest(out)
}

/// `0..bytes` in steps, as offset and length.
fn steps(bytes: u64, step: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..bytes.div_ceil(step)).map(move |n| {
        let offset = n.saturating_mul(step);
        (offset, step.min(bytes.saturating_sub(offset)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_contract::inventory::{DiskInfo, Transport};
    use cairn_contract::wipe::{WipeHow, WipeSample};
    use cairn_contract::{DiskSelector, HostId, InstallId, Timestamp};
    use std::path::PathBuf;
    use uuid::Uuid;

    /// Not a multiple of any step, but of a block.
    const SIZE: u64 = (70 << 20) + 512;

    fn plan() -> WipePlan {
        WipePlan {
            wipe: InstallId(Uuid::from_u128(5)),
            host: HostId(Uuid::nil()),
            ak_name: Digest([0; 32]),
            expires: Timestamp(0),
            disk: DiskSelector::default(),
            how: WipeHow::Zeros,
            sample: WipeSample { ends: 16 << 20, places: 64, place_bytes: 64 << 10 },
            nonce: Digest([9; 32]),
            pcrs: vec![],
            pcr_values: vec![],
        }
    }

    fn disk() -> Disk {
        let info = DiskInfo {
            name: "cairn-no-such-disk".into(),
            size: SIZE,
            transport: Transport::Virtio,
            serial: "S".into(),
            model: "M".into(),
            removable: false,
            block_size: 512,
        };
        Disk { info, rotational: false, read_only: false, in_use: false }
    }

    /// A file that plays the disk, full of old bytes.
    fn scratch(name: &str) -> (PathBuf, Target) {
        let path = std::env::temp_dir().join(format!("cairn-wipe-{}-{name}", std::process::id()));
        std::fs::write(&path, vec![0xEE; usize::try_from(SIZE).unwrap()]).unwrap();
        let target = Target::scratch(&path, SIZE).unwrap();
        (path, target)
    }

    #[test]
    fn every_byte_becomes_zero_and_the_report_says_what_was_read() {
        let (path, target) = scratch("all");
        let watch = Watch::default();
        let report = run(&plan(), &disk(), &target, &watch).unwrap();
        let left = std::fs::read(&path).unwrap().iter().filter(|b| **b != 0).count();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((left, report.bytes), (0, SIZE));
        assert_eq!((report.samples, report.samples_sha256), plan().all_zero(SIZE));
        assert_eq!((report.discard, report.zeros), (Discard::None, Zeros::Written));
        let (done, total) = watch.progress();
        assert_eq!(done, total);
    }

    #[test]
    fn a_disk_that_keeps_data_is_noticed() {
        for offset in [0, 5 << 20, SIZE - 1] {
            let (path, target) = scratch("keeps");
            erase(&target, SIZE, &Watch::default()).unwrap();
            std::os::unix::fs::FileExt::write_all_at(
                &std::fs::OpenOptions::new().write(true).open(&path).unwrap(),
                &[1],
                offset,
            )
            .unwrap();
            let refused = read_back(&plan(), &target, SIZE, &Watch::default());
            std::fs::remove_file(&path).unwrap();
            assert!(matches!(refused, Err(WipeError::NotZero { offset: at }) if at == offset), "{refused:?}");
        }
    }

    #[test]
    fn an_order_to_stop_is_followed() {
        let (path, target) = scratch("stop");
        let watch = Watch::default();
        watch.stop();
        let stopped = run(&plan(), &disk(), &target, &watch);
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(stopped, Err(WipeError::Stopped)), "{stopped:?}");
    }
}
