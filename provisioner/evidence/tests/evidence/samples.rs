//! Evidence of one virtual host of the lab, and where other people's logs are found.

use std::path::PathBuf;

use cairn_evidence::pcr::{PcrSet, PcrValues};
use cairn_evidence::{AkPublic, Digest, Statement};

use crate::builders;

pub(crate) const NONCE: &[u8] = include_bytes!("../data/nonce");
pub(crate) const QUOTE: Statement<'static> = Statement {
    message: include_bytes!("../data/quote.msg"),
    signature: include_bytes!("../data/quote.sig"),
};
pub(crate) const LOG: &[u8] = include_bytes!("../data/eventlog.bin");
pub(crate) const AK_NAME: &[u8] = include_bytes!("../data/ak.name");
/// The sample quote's selection: PCR 0 to 15.
pub(crate) const QUOTED: PcrSet = PcrSet::of(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

/// The AK is kept as PEM: its public area is what `tpm2_createak` makes, and its Name proves that.
pub(crate) fn ak() -> AkPublic {
    let pem = include_str!("../data/ak.pub");
    let key: p256::PublicKey = pem.parse().unwrap();
    AkPublic::parse(&builders::p256_public(0x0005_0072, &key)).unwrap()
}

pub(crate) fn pcrs() -> PcrValues {
    let mut values = PcrValues::default();
    for line in include_str!("../data/pcrs.txt").lines() {
        if let Some((pcr, value)) = line.split_once(": 0x") {
            values.set(pcr.trim().parse().unwrap(), digest(value)).unwrap();
        }
    }
    values
}

pub(crate) fn digest(hex: &str) -> Digest {
    Digest(unhex(hex).try_into().unwrap())
}

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.trim().len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

/// Logs of real machines, if they are here; they are not ours to copy.
pub(crate) fn vectors(folder: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors");
    let root = std::env::var_os("CAIRN_VECTORS").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let found = root.join(folder);
    if found.is_dir() {
        return Some(found);
    }
    println!("SKIPPED: no {} (set CAIRN_VECTORS)", found.display());
    None
}
