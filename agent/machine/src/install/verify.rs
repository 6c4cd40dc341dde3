//! Reading back: does the medium hold what was written?

use cairn_contract::{Frame, ImageManifest, InstallId, Role};

use super::InstallError;
use crate::disk::{Buffer, Target};
use crate::layout::Layout;

/// Frames that are read back: at most 16 MiB, half a second on a slow machine.
const SAMPLE: usize = 4;

/// Reads back the first frame of all (the ESP's) and the last, and others chosen by the installation's id, so that a disk
/// with a bad area does not pass every time.
pub(super) fn sample(
    image: &ImageManifest,
    layout: &Layout,
    install: InstallId,
    target: &Target,
) -> Result<(), InstallError> {
    let frames: Vec<(Role, usize, &Frame)> = image
        .partitions
        .iter()
        .flat_map(|p| p.frames.iter().enumerate().map(move |(i, f)| (p.role, i, f)))
        .collect();
    for chosen in choose(frames.len(), install) {
        let Some((role, index, frame)) = frames.get(chosen) else { continue };
        let Some(place) = layout.place(*role) else { continue };
        let offset = place.start + frame.offset;
        let len = usize::try_from(frame.raw_len).map_err(|_| InstallError::Broken)?;
        let mut raw = Buffer::new(len);
        target.read(offset, &mut raw, len).map_err(|source| InstallError::Disk { offset, source })?;
        if ring::digest::digest(&ring::digest::SHA256, &raw).as_ref() != frame.raw_sha256.0 {
            return Err(InstallError::ReadBack { role: *role, frame: *index, offset });
        }
    }
    Ok(())
}

/// First, last, and the rest spread by the id; ascending.
fn choose(count: usize, install: InstallId) -> Vec<usize> {
    if count <= SAMPLE {
        return (0..count).collect();
    }
    let seed = ring::digest::digest(&ring::digest::SHA256, install.0.as_bytes());
    let spread = seed.as_ref().chunks_exact(8).filter_map(|c| c.try_into().ok()).map(u64::from_be_bytes);
    let spread = spread.filter_map(|n| usize::try_from(n % count as u64).ok());
    let mut chosen: Vec<usize> = [0, count - 1].into_iter().chain(spread).take(SAMPLE).collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_always_read_and_the_rest_depends_on_the_installation() {
        let of = |n| choose(1000, InstallId(uuid::Uuid::from_u128(n)));
        assert!(of(1).starts_with(&[0]) && of(1).ends_with(&[999]));
        assert_ne!(of(1), of(2));
        assert_eq!(choose(3, InstallId(uuid::Uuid::nil())), [0, 1, 2]);
    }
}
