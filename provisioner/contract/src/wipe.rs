//! Decommissioning: the plan to wipe one disk, and the proof that it was done.
//!
//! ```text
//!  Verdict::Wipe           Signed<WipePlan>, sealed to the TPM
//!  discard, zeros, read back  -> WipeReport, as JSON
//!  TPM2_Quote(wipe_binding(nonce, report)) over the plan's PCRs -> WipeProof -> POST /host/v1/wiped
//! ```
//! A [`WipeProof`] stands for itself: site key -> plan -> AK -> quote -> report. Whoever has the site's public key can judge
//! it at any later time. Not here: wiping (`cairn-machine`) and judging (`cairn-trust`).

use std::collections::HashMap;

use ring::digest;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{Digest, Hex, HostId, InstallId, Timestamp},
    inventory::DiskInfo,
    plan::DiskSelector,
    signed::{Signable, Signed},
};

/// How a disk becomes empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WipeHow {
    /// Discarded where the device can, then every byte made zero: by the device where it can, else by writing.
    Zeros,
}

/// What is read back afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WipeSample {
    /// Bytes at each end of the disk that are read back wholly.
    pub ends: u64,
    /// Places between them, chosen by the plan's nonce.
    pub places: u32,
    /// Bytes of one place; a multiple of 4096.
    pub place_bytes: u32,
}

/// One wipe of one disk of one host. Executing it leaves no choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WipePlan {
    /// This attempt; its reports carry it as an installation's do.
    pub wipe: InstallId,
    /// Whose disk.
    pub host: HostId,
    /// SHA-256 name of the AK that the plan is for (without its algorithm prefix).
    pub ak_name: Digest,
    /// The plan may not be begun from then on.
    pub expires: Timestamp,
    /// Exactly one disk matches, or nothing is wiped.
    pub disk: DiskSelector,
    /// How.
    pub how: WipeHow,
    /// What is read back.
    pub sample: WipeSample,
    /// 32 fresh random bytes: choose the places, and make the proof fresh.
    pub nonce: Digest,
    /// PCR indices of the SHA-256 bank that the proof quotes, ascending.
    pub pcrs: Vec<u8>,
    /// Their values when this plan was earned; the proof comes from the same boot.
    pub pcr_values: Vec<Digest>,
}

impl Signable for WipePlan {
    const CONTEXT: &'static str = "wipe plan";
}

/// What the device did with a discard of the whole disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discard {
    /// Secure discard: copies that the device made by itself went as well.
    Secure,
    /// Discard.
    Plain,
    /// It cannot.
    None,
}

/// Who wrote the zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Zeros {
    /// The device, by its write-zeroes command.
    Device,
    /// The installer, block by block.
    Written,
}

/// What the installer found and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WipeReport {
    /// From the plan.
    pub wipe: InstallId,
    /// The disk, as the kernel describes it.
    pub disk: DiskInfo,
    /// Bytes wiped: all of it.
    pub bytes: u64,
    /// First step.
    pub discard: Discard,
    /// Second step.
    pub zeros: Zeros,
    /// By the host's clock.
    pub started: Timestamp,
    /// By the host's clock.
    pub finished: Timestamp,
    /// Places read back, those of the ends included.
    pub samples: u32,
    /// [`SampleDigest`] over what was read there.
    pub samples_sha256: Digest,
}

impl WipeReport {
    /// How it was wiped, for people.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match (self.discard, self.zeros) {
            (Discard::Secure, Zeros::Device) => "secure discard, then zeroed by the device",
            (Discard::Secure, Zeros::Written) => "secure discard, then overwritten with zeros",
            (Discard::Plain, Zeros::Device) => "discarded, then zeroed by the device",
            (Discard::Plain, Zeros::Written) => "discarded, then overwritten with zeros",
            (Discard::None, Zeros::Device) => "zeroed by the device",
            (Discard::None, Zeros::Written) => "overwritten with zeros",
        }
    }
}

/// A wipe that happened, with what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WipeProof {
    /// The plan as it was given.
    pub plan: Signed<WipePlan>,
    /// [`WipeReport`] as JSON: the very bytes that were quoted.
    pub report: String,
    /// AK, TPMT_PUBLIC.
    pub ak_public: Hex,
    /// TPMS_ATTEST of TPM2_Quote with [`wipe_binding`].
    pub quote: Hex,
    /// TPMT_SIGNATURE over it by the AK.
    pub signature: Hex,
}

/// Qualifying data of the proof's quote: binds the report to the plan's nonce.
#[must_use]
pub fn wipe_binding(nonce: &Digest, report: &str) -> [u8; 32] {
    hash(&[b"cairn wipe v1\0", &nonce.0, report.as_bytes()]).0
}

impl WipePlan {
    /// Where a disk of `bytes` is read back, as offset and length: both ends in pieces, then the chosen places. Offsets are
    /// multiples of 4096; what lies past the last of them at the end is shorter than a place.
    pub fn places(&self, bytes: u64) -> impl Iterator<Item = (u64, u32)> {
        let piece = u64::from(self.sample.place_bytes).max(BLOCK);
        let end = self.sample.ends.min(bytes);
        let tail = bytes.saturating_sub(end) / BLOCK * BLOCK;
        let slots = (bytes.saturating_sub(piece) / BLOCK).saturating_add(1);
        let nonce = self.nonce;
        let chosen = (0..self.sample.places).map(move |n| {
            let Digest(at) = hash(&[b"cairn wiped place\0", &nonce.0, &n.to_be_bytes()]);
            let at = at.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            (at % slots * BLOCK, cut(bytes, piece))
        });
        pieces(0, end, piece).chain(pieces(tail, bytes, piece)).chain(chosen)
    }

    /// The number of places on a disk of `bytes`, and the [`SampleDigest`] if all of them are zero.
    #[must_use]
    pub fn all_zero(&self, bytes: u64) -> (u32, Digest) {
        let mut known: HashMap<u32, Digest> = HashMap::new();
        let mut digest = SampleDigest::default();
        for (offset, len) in self.places(bytes) {
            let zeros = || Digest::of(&vec![0; usize::try_from(len).unwrap_or(0)]);
            digest.add(offset, len, known.entry(len).or_insert_with(zeros));
        }
        digest.finish()
    }
}

const BLOCK: u64 = 4096;

/// `from..to` in pieces.
fn pieces(from: u64, to: u64, piece: u64) -> impl Iterator<Item = (u64, u32)> {
    let mut at = from;
    std::iter::from_fn(move || {
        let left = to.checked_sub(at).filter(|n| *n > 0)?;
        let (start, len) = (at, cut(left, piece));
        at = at.saturating_add(u64::from(len));
        Some((start, len))
    })
}

fn cut(len: u64, most: u64) -> u32 {
    u32::try_from(len.min(most)).unwrap_or(u32::MAX)
}

/// The digest over a list of places: offset (u64), length (u32), both big endian, and SHA-256 of the bytes there, each.
#[derive(Clone)]
pub struct SampleDigest {
    count: u32,
    context: digest::Context,
}

impl std::fmt::Debug for SampleDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SampleDigest over {} places", self.count)
    }
}

impl Default for SampleDigest {
    fn default() -> Self {
        Self { count: 0, context: digest::Context::new(&digest::SHA256) }
    }
}

impl SampleDigest {
    /// The next place.
    pub fn add(&mut self, offset: u64, len: u32, content: &Digest) {
        self.count = self.count.saturating_add(1);
        self.context.update(&offset.to_be_bytes());
        self.context.update(&len.to_be_bytes());
        self.context.update(&content.0);
    }

    /// The number of places and their digest.
    #[must_use]
    pub fn finish(self) -> (u32, Digest) {
        let mut out = [0; 32];
        out.copy_from_slice(self.context.finish().as_ref());
        (self.count, Digest(out))
    }
}

fn hash(parts: &[&[u8]]) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    Digest(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn plan(nonce: u8) -> WipePlan {
        WipePlan {
            wipe: InstallId(Uuid::nil()),
            host: HostId(Uuid::nil()),
            ak_name: Digest([1; 32]),
            expires: Timestamp(0),
            disk: DiskSelector::default(),
            how: WipeHow::Zeros,
            sample: WipeSample { ends: 16 << 20, places: 1024, place_bytes: 64 << 10 },
            nonce: Digest([nonce; 32]),
            pcrs: vec![],
            pcr_values: vec![],
        }
    }

    #[test]
    fn both_ends_are_read_wholly_and_the_rest_by_the_nonce() {
        let size = 2 << 30;
        let places: Vec<_> = plan(1).places(size).collect();
        assert_eq!(places.len(), 256 + 256 + 1024);
        assert_eq!((places[0], places[255]), ((0, 65536), ((16 << 20) - 65536, 65536)));
        assert_eq!((places[256], places[511]), ((size - (16 << 20), 65536), (size - 65536, 65536)));
        assert_ne!(places[512..], plan(2).places(size).collect::<Vec<_>>()[512..]);
        let (low, high) = (places[512..].iter().min().unwrap().0, places[512..].iter().max().unwrap().0);
        assert!(low < size / 50 && high > size / 50 * 49, "spread from {low} to {high}");
    }

    #[test]
    fn the_digest_of_zeros_is_that_of_reading_zeros() {
        let plan = plan(3);
        let mut read = SampleDigest::default();
        for (offset, len) in plan.places(40 << 20) {
            read.add(offset, len, &Digest::of(&vec![0; len as usize]));
        }
        assert_eq!(plan.all_zero(40 << 20), read.finish());
    }

    #[test]
    fn the_binding_depends_on_nonce_and_report() {
        let one = wipe_binding(&Digest([1; 32]), "a");
        assert_ne!(one, wipe_binding(&Digest([2; 32]), "a"));
        assert_ne!(one, wipe_binding(&Digest([1; 32]), "b"));
    }

    proptest! {
        #[test]
        fn places_lie_on_the_disk_whatever_its_size(blocks in 0_u64..1 << 20, odd in prop::bool::ANY, far: u64) {
            let small = blocks * 4096 + if odd { 512 } else { 0 };
            for size in [small, far] {
                for (offset, len) in plan(1).places(size) {
                    prop_assert!(offset % 4096 == 0 && offset.checked_add(u64::from(len)).is_some_and(|end| end <= size));
                }
            }
        }
    }
}
