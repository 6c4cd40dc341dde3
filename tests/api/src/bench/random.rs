//! Numbers that look random and are the same in each run (xorshift64*).

/// A sequence.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed | 1 << 63)
    }

    /// From 0 to `limit`, without it; 0 of 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap_or(0).checked_rem(limit).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread_and_repeat() {
        let ten = |seed| {
            let mut random = Random::seeded(seed);
            (0..1000).map(|_| random.below(10)).collect::<Vec<_>>()
        };
        assert_eq!(ten(1), ten(1));
        assert!((0..10).all(|n| ten(1).iter().filter(|m| **m == n).count() > 50));
        assert_eq!(Random::seeded(1).below(0), 0);
    }
}
