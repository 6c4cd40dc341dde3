//! PCR numbers, sets of them and their values in the SHA-256 bank. Not the event log, which says how a value came about.

use crate::Digest;
use crate::wire::{Malformed, Reader};

/// PCRs of a PC Client TPM: 0 to 23.
pub const COUNT: u8 = 24;

/// TPM_ALG_SHA256.
pub(crate) const SHA256: u16 = 0x000b;

/// A set of PCRs of the SHA-256 bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct PcrSet(u32);

/// What a quote must cover so that [`crate::appraise`] can believe a boot: firmware and Secure Boot (0-7), the UKI (4, 11)
/// and what could have been passed to it from outside (12, 13).
pub const BOOT_PCRS: PcrSet = PcrSet::of(&[0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13]);

impl PcrSet {
    /// The set of these PCRs. Numbers above 23 name no PCR and are left out.
    #[must_use]
    pub const fn of(numbers: &[u8]) -> Self {
        let mut bits = 0;
        let mut rest = numbers;
        while let [number, tail @ ..] = rest {
            if *number < COUNT {
                bits |= 1 << *number;
            }
            rest = tail;
        }
        Self(bits)
    }

    /// Is this PCR in the set?
    #[must_use]
    pub const fn contains(self, pcr: u8) -> bool {
        pcr < COUNT && self.0 & (1 << pcr) != 0
    }

    /// Is the set empty?
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The PCRs of the set, ascending: the order in which a quote hashes them.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..COUNT).filter(move |pcr| self.contains(*pcr))
    }

    /// The TPMS_PCR_SELECTION bitmap: bit n of byte n / 8.
    #[must_use]
    pub const fn bitmap(self) -> [u8; 3] {
        let [a, b, c, _] = self.0.to_le_bytes();
        [a, b, c]
    }
}

/// Values of PCRs as a host reports them: a claim, until a quote's digest covers them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PcrValues([Option<Digest>; COUNT as usize]);

/// There are PCRs 0 to 23.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no pcr {0}")]
pub struct NoSuchPcr(pub u8);

impl PcrValues {
    /// Sets one value.
    pub fn set(&mut self, pcr: u8, value: Digest) -> Result<(), NoSuchPcr> {
        *self.0.get_mut(usize::from(pcr)).ok_or(NoSuchPcr(pcr))? = Some(value);
        Ok(())
    }

    /// The value of this PCR, if there is one.
    #[must_use]
    pub fn get(&self, pcr: u8) -> Option<Digest> {
        self.0.get(usize::from(pcr)).copied().flatten()
    }

    /// The values that are present, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u8, Digest)> {
        (0..COUNT).filter_map(|pcr| Some((pcr, self.get(pcr)?)))
    }

    /// Only the values of this set.
    #[must_use]
    pub fn only(&self, set: PcrSet) -> Self {
        let mut kept = Self::default();
        for (slot, (pcr, value)) in kept.0.iter_mut().zip((0..COUNT).zip(self.0)) {
            *slot = value.filter(|_| set.contains(pcr));
        }
        kept
    }

    /// The digest that a quote over `set` carries (TPM 2.0 Part 3, TPM2_Quote), or the first PCR whose value is missing.
    pub fn digest(&self, set: PcrSet) -> Result<Digest, NoSuchPcr> {
        let mut all = Vec::new();
        for pcr in set.iter() {
            all.extend_from_slice(&self.get(pcr).ok_or(NoSuchPcr(pcr))?.0);
        }
        Ok(Digest::of(&all))
    }
}

/// A TPML_PCR_SELECTION as a TPM signed it: bank and bitmap of each entry (TPM 2.0 Part 2, 10.6.2 and 10.9.7).
pub(crate) fn read_selection(reader: &mut Reader<'_>) -> Result<Vec<(u16, u32)>, Malformed> {
    let count = reader.u32("pcr selection count")?;
    if count > 16 {
        return Err(Malformed::TooLarge("pcr selection count"));
    }
    let mut entries = Vec::new();
    for _ in 0..count {
        let bank = reader.u16("pcr selection bank")?;
        let size = usize::from(reader.u8("pcr selection size")?);
        if size > 4 {
            return Err(Malformed::TooLarge("pcr selection size"));
        }
        let mut bitmap = [0; 4];
        for (to, from) in bitmap.iter_mut().zip(reader.take(size, "pcr selection")?) {
            *to = *from;
        }
        entries.push((bank, u32::from_le_bytes(bitmap)));
    }
    Ok(entries)
}

/// Do these entries select exactly `set` of the SHA-256 bank and nothing else?
pub(crate) fn selects_exactly(entries: &[(u16, u32)], set: PcrSet) -> bool {
    entries == [(SHA256, set.0)]
}
