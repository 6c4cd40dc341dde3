//! How fast this machine hashes, by the two implementations that the workspace has: why the registry uses the one it does.

use std::time::Instant;

use sha2::Digest as _;

use crate::figure::{Figure, Target, median};

const BYTES: usize = 64 << 20;
const PIECE: usize = 64 << 10;

/// MiB/s of `ring` and of `sha2`, in turns.
pub(crate) fn figures() -> Vec<Figure> {
    let bytes = vec![0x5a; BYTES];
    let (mut ring, mut sha2) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        ring.push(rate(|| {
            let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
            bytes.chunks(PIECE).for_each(|piece| hash.update(piece));
            std::hint::black_box(hash.finish());
        }));
        sha2.push(rate(|| {
            let mut hash = sha2::Sha256::new();
            bytes.chunks(PIECE).for_each(|piece| hash.update(piece));
            std::hint::black_box(hash.finalize());
        }));
    }
    let figure = |name: &str, rates| Figure::new(name, median(rates), "MiB/s", Target::None);
    vec![figure("SHA-256 by ring, which the registry uses", ring), figure("SHA-256 by sha2", sha2)]
}

fn rate(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    (BYTES >> 20) as f64 / start.elapsed().as_secs_f64()
}
