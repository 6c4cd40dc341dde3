//! What the TPM says under its keys: PCR values, quotes, certifications, plain signatures.

use super::command::{Auth, Command, Response, Returns};
use super::keys::{ALG_ECDSA, ALG_NULL, ALG_SHA256, Key};
use super::wire::{Reader, Short, Writer};
use super::{Code, Tpm, TpmError, malformed};

/// TPM_ST_HASHCHECK and TPM_RH_NULL: the ticket of a digest that the TPM did not compute.
const NO_TICKET: (u16, u32) = (0x8024, 0x4000_0007);
/// PCRs of a PC Client TPM.
const PCR_COUNT: u8 = 24;

/// PCRs of the SHA-256 bank, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcrSelection(u32);

impl PcrSelection {
    /// The set of these indices; those above 23 do not exist and are left out.
    #[must_use]
    pub fn of(indices: impl IntoIterator<Item = u8>) -> Self {
        Self(indices.into_iter().filter(|i| *i < PCR_COUNT).fold(0, |mask, i| mask | 1 << i))
    }

    /// The indices in ascending order.
    pub fn indices(self) -> impl Iterator<Item = u8> {
        (0..PCR_COUNT).filter(move |i| self.0 >> i & 1 == 1)
    }

    /// TPML_PCR_SELECTION with one entry.
    fn write(self, w: Writer) -> Writer {
        let [a, b, c, _] = self.0.to_le_bytes();
        w.u32(1).u16(ALG_SHA256).u8(3).bytes(&[a, b, c])
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Short> {
        let mut mask = 0;
        for _ in 0..r.u32()?.min(16) {
            let bank = r.u16()?;
            let n = r.u8()?;
            let bits = r.take(usize::from(n))?;
            if bank == ALG_SHA256 {
                let mut le = [0; 4];
                for (to, from) in le.iter_mut().zip(bits) {
                    *to = *from;
                }
                mask |= u32::from_le_bytes(le);
            }
        }
        Ok(Self(mask))
    }
}

/// PCR index and value, ascending.
pub type PcrValues = Vec<(u8, [u8; 32])>;

/// A TPMS_ATTEST and the TPMT_SIGNATURE over it, as the TPM wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// TPMS_ATTEST.
    pub attest: Vec<u8>,
    /// TPMT_SIGNATURE.
    pub signature: Vec<u8>,
}

impl Tpm {
    /// The values of the selected PCRs. A TPM without the SHA-256 bank gives an empty list.
    ///
    /// # Errors
    /// As any verb.
    pub fn pcr_read(&self, selection: PcrSelection) -> Result<PcrValues, TpmError> {
        let code = Code::PcrRead;
        let mut wanted = selection;
        let mut values = PcrValues::new();
        // One answer holds at most eight digests.
        while wanted.0 != 0 {
            let response =
                self.run(&Command::new(code).params(wanted.write(Writer::new())), Returns::Nothing)?;
            let (got, part) = read_pcrs(response.reader()).map_err(malformed(code))?;
            let got = got.0 & wanted.0;
            if got == 0 {
                break;
            }
            wanted.0 &= !got;
            values.extend(part);
        }
        values.sort_unstable_by_key(|(i, _)| *i);
        Ok(values)
    }

    /// TPM2_Quote by `ak` over `selection`, with `nonce` (at most 64 bytes) as extraData.
    ///
    /// # Errors
    /// As any verb.
    pub fn quote(&self, ak: &Key, nonce: &[u8], selection: PcrSelection) -> Result<Attested, TpmError> {
        let params = selection.write(Writer::new().sized(nonce).u16(ALG_NULL));
        let command = Command::new(Code::Quote).handle(ak.handle()).auth(Auth::Empty).params(params);
        attested(&self.run(&command, Returns::Nothing)?, Code::Quote)
    }

    /// TPM2_Certify: `ak` says that `key` is in this TPM, with `nonce` (at most 64 bytes) as extraData.
    ///
    /// # Errors
    /// As any verb.
    pub fn certify(&self, key: &Key, ak: &Key, nonce: &[u8]) -> Result<Attested, TpmError> {
        let command = Command::new(Code::Certify)
            .handle(key.handle())
            .handle(ak.handle())
            .auth(Auth::Empty)
            .auth(Auth::Empty)
            .params(Writer::new().sized(nonce).u16(ALG_NULL));
        attested(&self.run(&command, Returns::Nothing)?, Code::Certify)
    }

    /// ECDSA by an unrestricted key over a SHA-256 digest: r and s, 32 bytes each.
    ///
    /// # Errors
    /// As any verb.
    pub fn sign(&self, key: &Key, digest: &[u8; 32]) -> Result<[u8; 64], TpmError> {
        let (tag, hierarchy) = NO_TICKET;
        let params = Writer::new().sized(digest).u16(ALG_NULL).u16(tag).u32(hierarchy).sized(&[]);
        let command = Command::new(Code::Sign).handle(key.handle()).auth(Auth::Empty).params(params);
        let response = self.run(&command, Returns::Nothing)?;
        ecdsa(response.reader()).map_err(malformed(Code::Sign))
    }
}

fn read_pcrs(mut r: Reader<'_>) -> Result<(PcrSelection, PcrValues), Short> {
    r.u32()?; // pcrUpdateCounter
    let selection = PcrSelection::read(&mut r)?;
    let count = usize::try_from(r.u32()?).map_err(|_| Short)?;
    let mut values = PcrValues::new();
    for index in selection.indices().take(count) {
        values.push((index, r.sized()?.try_into().map_err(|_| Short)?));
    }
    Ok((selection, values))
}

fn attested(response: &Response, code: Code) -> Result<Attested, TpmError> {
    let mut r = response.reader();
    let attest = r.sized().map_err(malformed(code))?.to_vec();
    Ok(Attested { attest, signature: r.rest().to_vec() })
}

fn ecdsa(mut r: Reader<'_>) -> Result<[u8; 64], Short> {
    if r.u16()? != ALG_ECDSA {
        return Err(Short);
    }
    r.u16()?; // hash
    let mut rs = [0; 64];
    for half in rs.chunks_mut(32) {
        let v = r.sized()?;
        let at = half.len().checked_sub(v.len()).ok_or(Short)?;
        half.get_mut(at..).ok_or(Short)?.copy_from_slice(v);
    }
    Ok(rs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_selection_is_written_low_bits_first() {
        let bytes = PcrSelection::of([0, 11, 23, 24]).write(Writer::new()).done();
        assert_eq!(bytes, [0, 0, 0, 1, 0, 11, 3, 1, 8, 0x80]);
        let read = PcrSelection::read(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(read.indices().collect::<Vec<_>>(), [0, 11, 23]);
    }

    proptest! {
        #[test]
        fn answers_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_pcrs(Reader::new(&bytes));
            let _ = ecdsa(Reader::new(&bytes));
        }
    }
}
