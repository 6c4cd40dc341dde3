//! A TPM that answers anything. The input is its answers, one after another: a length byte, then the payload.

#![no_main]

use std::io;

use cairn_machine::prover::Prover;
use cairn_machine::tpm::{PcrSelection, Tpm, Transport};

#[derive(Debug)]
struct Liar(Vec<u8>);

impl Transport for Liar {
    fn transact(&mut self, _: &[u8]) -> io::Result<Vec<u8>> {
        let n = usize::from(*self.0.first().ok_or(io::ErrorKind::BrokenPipe)?).min(self.0.len() - 1);
        let payload: Vec<u8> = self.0.drain(..=n).skip(1).collect();
        let size = u32::try_from(payload.len() + 10).map_err(io::Error::other)?;
        Ok([&[0x80, 1][..], &size.to_be_bytes(), &[0; 4], &payload].concat())
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let tpm = || Tpm::over(Box::new(Liar(bytes.to_vec())));
    let _ = tpm().properties();
    let _ = tpm().pcr_read(PcrSelection::of(0..24));
    let _ = Prover::new(tpm());
});
