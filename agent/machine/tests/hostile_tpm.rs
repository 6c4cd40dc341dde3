//! A TPM that answers anything: every verb ends with a value or an error, never with a panic or without end.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io;

use cairn_machine::prover::Prover;
use cairn_machine::tpm::{PcrSelection, Tpm, Transport};
use proptest::prelude::*;

/// Answers with these frames in turn, then not at all.
#[derive(Debug)]
struct Liar(Vec<Vec<u8>>);

impl Transport for Liar {
    fn transact(&mut self, _: &[u8]) -> io::Result<Vec<u8>> {
        self.0.pop().ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

/// A frame whose header is sound: success, with or without sessions, its own length.
fn sound(payload: Vec<u8>, sessions: bool) -> Vec<u8> {
    let tag: u16 = if sessions { 0x8002 } else { 0x8001 };
    let size = u32::try_from(payload.len() + 10).unwrap();
    [&tag.to_be_bytes()[..], &size.to_be_bytes(), &[0; 4], &payload].concat()
}

/// Payloads that look like the TPM's lists: small counts and lengths before other bytes.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(vec![0, 0, 0, 2]),
        Just(vec![0, 4]),
        Just(vec![1, 0xC0, 0, 2]),
        any::<u8>().prop_map(|b| vec![b])
    ];
    proptest::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn every_verb_ends(frames in proptest::collection::vec((payload(), any::<bool>()), 0..40), torn in proptest::option::of(0usize..40)) {
        let mut frames: Vec<Vec<u8>> = frames.into_iter().map(|(p, s)| sound(p, s)).collect();
        if let Some(frame) = torn.and_then(|i| frames.get_mut(i)) {
            frame.truncate(7);
        }
        let all = PcrSelection::of(0..24);
        let tpm = |frames: &Vec<Vec<u8>>| Tpm::over(Box::new(Liar(frames.clone())));
        let _ = tpm(&frames).properties();
        let _ = tpm(&frames).ek_certificates().map(|c| (c.chain().count(), c.rsa().map(<[u8]>::len)));
        let _ = tpm(&frames).pcr_read(all);
        let _ = Prover::new(tpm(&frames));
        if let Ok(key) = tpm(&frames).create_ak() {
            let _ = (key.point(), key.spki());
            let other = tpm(&frames);
            let _ = other.quote(&key, &[1; 32], all);
            let _ = other.certify(&key, &key, &[1; 32]);
            let _ = other.sign(&key, &[1; 32]);
            let _ = other.activate_credential(&key, &key, &[0, 0], &[0, 0]);
        }
    }
}
