//! The attestation key: a restricted signing key of one TPM. Only what such a key signs can be believed, because the TPM
//! itself refuses to sign foreign bytes that look like its own statements with it. That the key lives in the TPM of a
//! known EK is not said here but by `credential`.

use crate::public::{
    ALG_ECDSA, ALG_RSASSA, ALG_SHA256, Key, Name, Public, attribute, p256_point, read_coordinate,
};
use crate::wire::{Malformed, Reader};

const REQUIRED: u32 = attribute::FIXED_TPM
    | attribute::FIXED_PARENT
    | attribute::SENSITIVE_DATA_ORIGIN
    | attribute::USER_WITH_AUTH
    | attribute::RESTRICTED
    | attribute::SIGN;
const FORBIDDEN: u32 = attribute::DECRYPT | attribute::ENCRYPTED_DUPLICATION | attribute::X509_SIGN;

/// Why a key is no attestation key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AkRefusal {
    /// The public area cannot be read.
    #[error("the attestation key's public area is malformed")]
    Malformed(#[from] Malformed),
    /// An attribute that every attestation key has is missing.
    #[error("the attestation key lacks the attribute {0}")]
    Lacks(&'static str),
    /// An attribute that no attestation key has is set.
    #[error("the attestation key has the attribute {0}")]
    Has(&'static str),
    /// The key is not one of ECDSA P-256 / SHA-256 and RSASSA-2048 / SHA-256, named by SHA-256.
    #[error("the attestation key is neither ECDSA P-256 with SHA-256 nor RSASSA-2048 with SHA-256")]
    Algorithm,
}

/// Why a signature is not this key's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRefusal {
    /// The TPMT_SIGNATURE cannot be read.
    #[error("the signature is malformed")]
    Malformed(#[from] Malformed),
    /// The signature is of another scheme than the key.
    #[error("the signature is not of the attestation key's scheme")]
    Scheme,
    /// The signature is not over these bytes by this key.
    #[error("the signature is not by the attestation key over this statement")]
    Invalid,
}

/// An attestation key whose attributes and algorithm were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AkPublic {
    public: Public,
}

impl AkPublic {
    /// Reads a TPMT_PUBLIC or TPM2B_PUBLIC and checks that it is an attestation key (attestation rule 6).
    pub fn parse(bytes: &[u8]) -> Result<Self, AkRefusal> {
        let public = Public::parse(bytes)?;
        let lacking = REQUIRED & !public.attributes;
        if lacking != 0 {
            return Err(AkRefusal::Lacks(attribute::name_of_lowest(lacking)));
        }
        let unwanted = FORBIDDEN & public.attributes;
        if unwanted != 0 {
            return Err(AkRefusal::Has(attribute::name_of_lowest(unwanted)));
        }
        let known = match (&public.key, public.scheme) {
            (Key::P256 { .. }, Some((ALG_ECDSA, ALG_SHA256))) => true,
            (Key::Rsa { bits, .. }, Some((ALG_RSASSA, ALG_SHA256))) => *bits == 2048,
            _ => false,
        };
        if !known || public.name_alg != ALG_SHA256 {
            return Err(AkRefusal::Algorithm);
        }
        Ok(Self { public })
    }

    /// The Name that a credential is made for.
    #[must_use]
    pub fn name(&self) -> Name {
        self.public.name()
    }

    /// DER SubjectPublicKeyInfo of the key.
    #[must_use]
    pub fn spki_der(&self) -> Vec<u8> {
        self.public.spki_der()
    }

    /// Checks a TPMT_SIGNATURE by this key over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureRefusal> {
        let mut reader = Reader::new(signature);
        let scheme = (reader.u16("signature scheme")?, reader.u16("signature hash")?);
        match (&self.public.key, scheme) {
            (Key::P256 { x, y }, (ALG_ECDSA, ALG_SHA256)) => {
                let (r, s) = (read_coordinate(&mut reader)?, read_coordinate(&mut reader)?);
                reader.finish()?;
                verify_ecdsa((x, y), message, (r, s))
            }
            (Key::Rsa { key, .. }, (ALG_RSASSA, ALG_SHA256)) => {
                let bytes = reader.sized(512, "rsa signature")?;
                reader.finish()?;
                verify_rsassa(key, message, bytes)
            }
            _ => Err(SignatureRefusal::Scheme),
        }
    }
}

fn verify_ecdsa(
    (x, y): (&[u8; 32], &[u8; 32]),
    message: &[u8],
    (r, s): ([u8; 32], [u8; 32]),
) -> Result<(), SignatureRefusal> {
    use p256::ecdsa::signature::Verifier as _;
    let key = p256::ecdsa::VerifyingKey::from(p256_point(x, y)?);
    let signature = p256::ecdsa::Signature::from_scalars(r, s).map_err(|_| SignatureRefusal::Invalid)?;
    key.verify(message, &signature).map_err(|_| SignatureRefusal::Invalid)
}

fn verify_rsassa(key: &rsa::RsaPublicKey, message: &[u8], signature: &[u8]) -> Result<(), SignatureRefusal> {
    use rsa::signature::Verifier as _;
    let key = rsa::pkcs1v15::VerifyingKey::<sha2_legacy::Sha256>::new(key.clone());
    let signature = rsa::pkcs1v15::Signature::try_from(signature).map_err(|_| SignatureRefusal::Invalid)?;
    key.verify(message, &signature).map_err(|_| SignatureRefusal::Invalid)
}
