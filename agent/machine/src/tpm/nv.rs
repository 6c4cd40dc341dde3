//! EK certificates and their chain in the TPM's NV storage (TCG EK Credential Profile 2.5, 2.2.1.4 and 2.2.1.5.2).

use super::command::{Auth, Command, Returns};
use super::info::{Capability, MAX_HANDLES};
use super::keys::OWNER;
use super::wire::{Short, Writer};
use super::{Code, Tpm, TpmError, malformed};

/// TPMA_NV_AUTHREAD: the index's own (empty) password reads it.
const AUTH_READ: u32 = 1 << 18;
/// One TPM2_NV_Read; every TPM takes 512 (TPM2_PT_NV_BUFFER_MAX is at least that on PC Client TPMs).
const STEP: u16 = 512;
/// No known certificate or chain part is longer; a lying index cannot make us read more.
const MAX_DATA: u16 = 16 * 1024;
/// Certificates: L-1 RSA, L-2 ECC, and the high range with its gaps.
const CERTIFICATES: [(u32, u32); 3] =
    [(0x01C0_0002, 0x01C0_0002), (0x01C0_000A, 0x01C0_000A), (0x01C0_0012, 0x01C0_00FF)];
/// The chain: DER certificates, concatenated over consecutive indices.
const CHAIN: (u32, u32) = (0x01C0_0100, 0x01C0_01FF);

/// One certificate as it lay in NV: DER, with padding after it left in place by some vendors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EkCertificate {
    /// Its NV index.
    pub index: u32,
    /// The bytes.
    pub der: Vec<u8>,
}

/// What the TPM holds of endorsement certificates. Both empty: class "no certificate".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EkCertificates {
    /// Leaf certificates by ascending index.
    pub certificates: Vec<EkCertificate>,
    /// The contents of 0x01C00100-0x01C001FF, concatenated.
    chain: Vec<u8>,
}

impl EkCertificates {
    /// The certificate of the RSA-2048 EK of template L-1, without padding.
    #[must_use]
    pub fn rsa(&self) -> Option<&[u8]> {
        let found = self.certificates.iter().find(|c| c.index == CERTIFICATES[0].0)?;
        Some(split_der(&found.der).next().unwrap_or(&found.der))
    }

    /// The certificates of the chain, one by one.
    pub fn chain(&self) -> impl Iterator<Item = &[u8]> {
        split_der(&self.chain)
    }
}

/// The DER SEQUENCEs that lie one after another in `bytes`; ends at the first byte that begins none.
fn split_der(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&[0x30, first], body) = bytes.split_first_chunk()? else { return None };
        let (header, len) = match first {
            0..=0x7F => (2, usize::from(first)),
            0x81 => (3, usize::from(*body.first()?)),
            0x82 => (4, usize::from(u16::from_be_bytes(*body.first_chunk()?))),
            _ => return None, // longer than 64 KiB: no certificate in NV is
        };
        let (one, rest) = bytes.split_at_checked(header + len)?;
        bytes = rest;
        Some(one)
    })
}

impl Tpm {
    /// Reads every EK certificate and the chain.
    ///
    /// An index that exists and cannot be read (locked, policy only) is passed over, since policy decides on what is
    /// missing.
    ///
    /// # Errors
    /// As any verb; a refusal by one index is not an error.
    pub fn ek_certificates(&self) -> Result<EkCertificates, TpmError> {
        let mut found = EkCertificates::default();
        let first = CERTIFICATES[0].0;
        for index in self.capability(Capability::Handles, first, MAX_HANDLES)?.handles()? {
            let within = |(low, high): (u32, u32)| (low..=high).contains(&index);
            let certificate = CERTIFICATES.into_iter().any(within);
            if !certificate && !within(CHAIN) {
                continue;
            }
            let Some(der) = self.nv_read(index)? else { continue };
            match certificate {
                true => found.certificates.push(EkCertificate { index, der }),
                false => found.chain.extend(der),
            }
        }
        Ok(found)
    }

    /// The whole contents of an NV index, or `None` when it is not there or may not be read.
    ///
    /// # Errors
    /// As any verb.
    pub fn nv_read(&self, index: u32) -> Result<Option<Vec<u8>>, TpmError> {
        let (attributes, size) = match self.nv_public(index) {
            Ok(public) => public,
            Err(TpmError::Refused { .. }) => return Ok(None),
            Err(e) => return Err(e),
        };
        let reader = if attributes & AUTH_READ != 0 { index } else { OWNER };
        let size = size.min(MAX_DATA);
        let mut data = Vec::with_capacity(usize::from(size));
        let mut at = 0;
        while at < size {
            let n = STEP.min(size - at);
            let command = Command::new(Code::NvRead)
                .handle(reader)
                .handle(index)
                .auth(Auth::Empty)
                .params(Writer::new().u16(n).u16(at));
            let response = match self.run(&command, Returns::Nothing) {
                Ok(response) => response,
                Err(TpmError::Refused { .. }) => return Ok(None),
                Err(e) => return Err(e),
            };
            let part = response.reader().sized().map_err(malformed(Code::NvRead))?;
            if part.len() != usize::from(n) {
                return Err(malformed(Code::NvRead)(Short));
            }
            data.extend_from_slice(part);
            at += n;
        }
        Ok(Some(data))
    }

    /// Attributes and size of an index.
    fn nv_public(&self, index: u32) -> Result<(u32, u16), TpmError> {
        let code = Code::NvReadPublic;
        let response = self.run(&Command::new(code).handle(index), Returns::Nothing)?;
        let mut r = response.reader();
        let mut read = || -> Result<(u32, u16), Short> {
            r.take(2 + 4 + 2)?; // TPM2B length, nvIndex, nameAlg
            let attributes = r.u32()?;
            r.sized()?; // authPolicy
            Ok((attributes, r.u16()?))
        };
        read().map_err(malformed(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn certificates_are_split_and_padding_is_left_out() {
        let bytes = [0x30, 1, 7, 0x30, 0x81, 2, 8, 9, 0xFF, 0xFF];
        let found: Vec<&[u8]> = split_der(&bytes).collect();
        assert_eq!(found, [&bytes[..3], &bytes[3..8]]);
    }

    proptest! {
        #[test]
        fn any_contents_are_split_within_bounds(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(split_der(&bytes).map(<[u8]>::len).sum::<usize>() <= bytes.len());
        }
    }
}
