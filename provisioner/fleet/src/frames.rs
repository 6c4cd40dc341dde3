//! A partition's bytes as zstd frames: zero runs left out, each frame on its own verifiable.

use std::io::{self, Read, Write};

use cairn_contract::{Digest, Frame, ImageManifest};

/// [`ImageManifest::BLOCK`].
const BLOCK: usize = 4096;
const MAX_BLOCKS: usize = ImageManifest::MAX_FRAME as usize / BLOCK;
/// A shorter run of zero blocks stays inside its frame: one more frame costs more than it saves.
const SHORT_GAP: usize = 16;
const LEVEL: i32 = 6;

/// Reads `partition` to its end and appends its frames to `blob`, which holds `at` bytes. Returns the frames and the
/// blob's new length. A last block that is not whole is filled with zeros.
pub fn append(
    partition: &mut impl Read,
    blob: &mut impl Write,
    mut at: u64,
) -> io::Result<(Vec<Frame>, u64)> {
    let mut frames = Vec::new();
    let mut window = vec![0; MAX_BLOCKS * BLOCK];
    let mut base = 0_u64;
    loop {
        let filled = fill(partition, &mut window)?;
        if filled == 0 {
            return Ok((frames, at));
        }
        let whole = filled.next_multiple_of(BLOCK);
        window[filled..whole].fill(0);
        for (first, end) in runs(&window[..whole]) {
            let raw = &window[first * BLOCK..end * BLOCK];
            let packed = zstd::bulk::compress(raw, LEVEL)?;
            blob.write_all(&packed)?;
            frames.push(Frame {
                offset: base + (first * BLOCK) as u64,
                raw_len: length(raw)?,
                at,
                len: length(&packed)?,
                sha256: Digest::of(&packed),
                raw_sha256: Digest::of(raw),
            });
            at += packed.len() as u64;
        }
        base += whole as u64;
    }
}

fn length(bytes: &[u8]) -> io::Result<u32> {
    u32::try_from(bytes.len()).map_err(io::Error::other)
}

/// Ranges of blocks that are not zero, joined over short gaps.
fn runs(window: &[u8]) -> Vec<(usize, usize)> {
    let mut out: Vec<(usize, usize)> = Vec::new();
    for (i, block) in window.chunks_exact(BLOCK).enumerate() {
        if block.iter().all(|b| *b == 0) {
            continue;
        }
        match out.last_mut() {
            Some((_, end)) if i - *end <= SHORT_GAP => *end = i + 1,
            _ => out.push((i, i + 1)),
        }
    }
    out
}

fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(frames: &[Frame], blob: &[u8], size: usize) -> Vec<u8> {
        let mut out = vec![0; size];
        for f in frames {
            let packed = &blob[usize::try_from(f.at).unwrap()..][..f.len as usize];
            assert_eq!(Digest::of(packed), f.sha256);
            let raw = zstd::bulk::decompress(packed, f.raw_len as usize).unwrap();
            assert_eq!(Digest::of(&raw), f.raw_sha256);
            out[usize::try_from(f.offset).unwrap()..][..raw.len()].copy_from_slice(&raw);
        }
        out
    }

    #[test]
    fn frames_give_back_the_partition_and_skip_zeros() {
        let mut raw = vec![0; 9 << 20];
        raw[5000..6000].fill(7);
        raw[(5 << 20) + 1] = 9;
        raw[(9 << 20) - 1] = 3;
        let mut blob = Vec::new();
        let (frames, end) = append(&mut raw.as_slice(), &mut blob, 0).unwrap();
        assert_eq!(end, blob.len() as u64);
        assert_eq!(frames.len(), 3);
        assert_eq!(unpack(&frames, &blob, raw.len()), raw);
    }

    #[test]
    fn a_ragged_end_is_filled_and_an_empty_partition_has_no_frames() {
        let mut blob = Vec::new();
        let (frames, _) = append(&mut [1_u8; 10].as_slice(), &mut blob, 0).unwrap();
        assert_eq!(frames[0].raw_len, 4096);
        let (frames, _) = append(&mut [].as_slice(), &mut blob, 5).unwrap();
        assert!(frames.is_empty());
    }
}
