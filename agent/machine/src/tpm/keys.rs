//! The three keys: EK (RSA-2048, template L-1), AK and TLS key (ECDSA P-256 primaries with fixed templates).
//!
//! Templates: TCG EK Credential Profile 2.5, B.3.3; attestation.md rule 6. A template is part of the key's derivation:
//! changing one byte gives every host another AK, so that they are versioned by the label in `unique`.

use super::command::{Auth, Command, Returns};
use super::wire::{Reader, Short, Writer};
use super::{Code, Tpm, TpmError, malformed};

/// TPM_RH_OWNER and TPM_RH_ENDORSEMENT.
pub(super) const OWNER: u32 = 0x4000_0001;
pub(super) const ENDORSEMENT: u32 = 0x4000_000B;
/// Where a manufacturer or an operator keeps the RSA EK (TCG Provisioning Guidance, 7.8).
const EK_PERSISTENT: u32 = 0x8101_0001;

const ALG_RSA: u16 = 0x0001;
const ALG_AES: u16 = 0x0006;
pub(super) const ALG_SHA256: u16 = 0x000B;
pub(super) const ALG_NULL: u16 = 0x0010;
pub(super) const ALG_ECDSA: u16 = 0x0018;
const ALG_ECC: u16 = 0x0023;
const ALG_CFB: u16 = 0x0043;
const CURVE_P256: u16 = 0x0003;

/// fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted, decrypt.
const EK_ATTRIBUTES: u32 = 0x0003_00B2;
/// fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign.
const AK_ATTRIBUTES: u32 = 0x0005_0072;
/// The AK's without `restricted`: TLS chooses what is signed.
const TLS_ATTRIBUTES: u32 = 0x0004_0072;
/// PolicySecret(TPM_RH_ENDORSEMENT), "PolicyA" for SHA-256.
const EK_POLICY: [u8; 32] = [
    0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xB3, 0xF8, 0x1A, 0x90, 0xCC, 0x8D, 0x46, 0xA5, 0xD7, 0x24, 0xFD,
    0x52, 0xD7, 0x6E, 0x06, 0x52, 0x0B, 0x64, 0xF2, 0xA1, 0xDA, 0x1B, 0x33, 0x14, 0x69, 0xAA,
];
const AK_LABEL: &[u8; 32] = b"cairn attestation key, version 1";
const TLS_LABEL: &[u8; 32] = b"cairn host TLS key,    version 1";

/// A key loaded in the TPM; a transient one is flushed when this is dropped.
#[derive(Debug)]
pub struct Key {
    tpm: Tpm,
    handle: u32,
    public: Vec<u8>,
    name: Vec<u8>,
    transient: bool,
}

impl Drop for Key {
    fn drop(&mut self) {
        if self.transient {
            self.tpm.flush(self.handle);
        }
    }
}

impl Key {
    pub(super) fn tpm(&self) -> &Tpm {
        &self.tpm
    }

    pub(super) fn handle(&self) -> u32 {
        self.handle
    }

    /// TPMT_PUBLIC, without the TPM2B length.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// The name: hash algorithm (2 bytes) and digest of the public area.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The P-256 point, uncompressed (SEC 1, 65 bytes): AK and TLS key. `None` for the EK.
    #[must_use]
    pub fn point(&self) -> Option<[u8; 65]> {
        ecc_point(&self.public).ok()
    }
}

fn ecc_point(public: &[u8]) -> Result<[u8; 65], Short> {
    let mut r = Reader::new(public);
    if r.u16()? != ALG_ECC {
        return Err(Short);
    }
    r.take(2 + 4)?; // nameAlg, objectAttributes
    r.sized()?; // authPolicy
    r.take(2 + 4)?; // symmetric NULL, scheme ECDSA with SHA-256
    if r.u16()? != CURVE_P256 {
        return Err(Short);
    }
    r.take(2)?; // kdf
    let mut point = [0; 65];
    point[0] = 4;
    for half in point[1..].chunks_mut(32) {
        let v = r.sized()?;
        let at = half.len().checked_sub(v.len()).ok_or(Short)?;
        half.get_mut(at..).ok_or(Short)?.copy_from_slice(v);
    }
    Ok(point)
}

/// The L-1 template up to, and without, `unique`.
fn ek_parameters() -> Vec<u8> {
    Writer::new()
        .u16(ALG_RSA)
        .u16(ALG_SHA256)
        .u32(EK_ATTRIBUTES)
        .sized(&EK_POLICY)
        .u16(ALG_AES)
        .u16(128)
        .u16(ALG_CFB)
        .u16(ALG_NULL)
        .u16(2048)
        .u32(0)
        .done()
}

fn signing_template(attributes: u32, label: &[u8; 32]) -> Vec<u8> {
    Writer::new()
        .u16(ALG_ECC)
        .u16(ALG_SHA256)
        .u32(attributes)
        .sized(&[])
        .u16(ALG_NULL)
        .u16(ALG_ECDSA)
        .u16(ALG_SHA256)
        .u16(CURVE_P256)
        .u16(ALG_NULL)
        .sized(label)
        .sized(&[0; 32])
        .done()
}

impl Tpm {
    /// The RSA-2048 EK: the persistent one if it was made from template L-1, else made anew from the same seed.
    ///
    /// # Errors
    /// As any verb; a TPM whose endorsement hierarchy has a password refuses.
    pub fn ek(&self) -> Result<Key, TpmError> {
        match self.read_public(EK_PERSISTENT) {
            Ok(key) if key.public.starts_with(&ek_parameters()) => return Ok(key),
            Ok(_) | Err(TpmError::Refused { .. }) => {}
            Err(e) => return Err(e),
        }
        let template = Writer::new().bytes(&ek_parameters()).sized(&[0; 256]).done();
        self.create_primary(ENDORSEMENT, &template)
    }

    /// The AK: restricted signing, ECDSA P-256; the same one at every boot of this TPM.
    ///
    /// # Errors
    /// As any verb.
    pub fn create_ak(&self) -> Result<Key, TpmError> {
        self.create_primary(ENDORSEMENT, &signing_template(AK_ATTRIBUTES, AK_LABEL))
    }

    /// The host's TLS key: ECDSA P-256, signs any digest; the same one until the TPM is cleared.
    ///
    /// # Errors
    /// As any verb.
    pub fn create_tls_key(&self) -> Result<Key, TpmError> {
        self.create_primary(OWNER, &signing_template(TLS_ATTRIBUTES, TLS_LABEL))
    }

    fn create_primary(&self, hierarchy: u32, template: &[u8]) -> Result<Key, TpmError> {
        let code = Code::CreatePrimary;
        let params = Writer::new()
            .sized(&[0, 0, 0, 0]) // no password, no data
            .sized(template)
            .sized(&[])
            .u32(0); // no PCR in the creation data
        let command = Command::new(code).handle(hierarchy).auth(Auth::Empty).params(params);
        let response = self.run(&command, Returns::Handle)?;
        let handle = response.handle().map_err(malformed(code))?;
        let mut key =
            Key { tpm: self.clone(), handle, public: Vec::new(), name: Vec::new(), transient: true };
        let mut r = response.reader();
        let mut read = || -> Result<(Vec<u8>, Vec<u8>), Short> {
            let public = r.sized()?.to_vec();
            r.sized()?; // creationData
            r.sized()?; // creationHash
            r.take(2 + 4)?; // ticket: tag, hierarchy
            r.sized()?; // ticket: digest
            Ok((public, r.sized()?.to_vec()))
        };
        (key.public, key.name) = read().map_err(malformed(code))?;
        Ok(key)
    }

    fn read_public(&self, handle: u32) -> Result<Key, TpmError> {
        let code = Code::ReadPublic;
        let response = self.run(&Command::new(code).handle(handle), Returns::Nothing)?;
        let mut r = response.reader();
        let public = r.sized().map_err(malformed(code))?.to_vec();
        let name = r.sized().map_err(malformed(code))?.to_vec();
        Ok(Key { tpm: self.clone(), handle, public, name, transient: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_short_coordinate_is_padded_on_the_left() {
        let parameters = signing_template(AK_ATTRIBUTES, AK_LABEL);
        let public =
            Writer::new().bytes(&parameters[..parameters.len() - 68]).sized(&[9; 31]).sized(&[7; 32]).done();
        let point = ecc_point(&public).unwrap();
        assert_eq!((point[0], point[1], point[2], point[33]), (4, 0, 9, 7));
    }

    proptest! {
        #[test]
        fn public_areas_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120), cut in 0usize..120) {
            let _ = ecc_point(&bytes);
            let mut template = signing_template(TLS_ATTRIBUTES, TLS_LABEL);
            template.truncate(cut);
            let _ = ecc_point(&template);
        }
    }
}
