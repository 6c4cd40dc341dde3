//! TPM2_Certify: this key lives in the same TPM as the attestation key (attestation rule 17). Used for the host's TLS key,
//! before a certificate is issued for it.

use crate::Proven;
use crate::ak::AkPublic;
use crate::attest::{self, Clock, Statement, StatementRefusal};
use crate::public::{ALG_ECDSA, ALG_SHA256, Key, Name, Public, attribute, sec1};
use crate::wire::Malformed;

const ST_ATTEST_CERTIFY: u16 = 0x8017;
const REQUIRED: u32 =
    attribute::FIXED_TPM | attribute::FIXED_PARENT | attribute::SENSITIVE_DATA_ORIGIN | attribute::SIGN;
const FORBIDDEN: u32 = attribute::RESTRICTED | attribute::DECRYPT | attribute::ENCRYPTED_DUPLICATION;

/// A signing key that exists only inside the TPM of this attestation key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsKey {
    /// The TPM's name of the key.
    pub name: Name,
    /// Uncompressed SEC1 point: 04, x, y.
    pub point: [u8; 65],
    /// DER SubjectPublicKeyInfo: what the certificate must carry.
    pub spki_der: Vec<u8>,
    /// The attestation key that certified it.
    pub ak: Name,
    /// The TPM's clock when it did.
    pub clock: Clock,
}

/// Why a key is not certified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertifyRefusal {
    /// Signature, magic, kind or nonce is wrong.
    #[error(transparent)]
    Statement(#[from] StatementRefusal),
    /// The key's public area cannot be read.
    #[error("the certified key's public area is malformed")]
    Public(#[source] Malformed),
    /// The statement is about another key.
    #[error("the statement certifies another key")]
    OtherKey,
    /// The key could be copied out, or was made outside.
    #[error("the certified key lacks the attribute {0}")]
    Lacks(&'static str),
    /// The key is of another use than a TLS key.
    #[error("the certified key has the attribute {0}")]
    Has(&'static str),
    /// The key is not a signing key on P-256.
    #[error("the certified key is not ECDSA P-256 with SHA-256")]
    Algorithm,
}

/// Checks that `ak` certified, for this nonce, the key with this TPMT_PUBLIC or TPM2B_PUBLIC, and that it is fit for TLS.
pub fn verify(
    certification: &Statement<'_>,
    public: &[u8],
    ak: &AkPublic,
    nonce: &[u8],
) -> Result<Proven<TlsKey>, CertifyRefusal> {
    let mut attest = attest::open(certification, ak, ST_ATTEST_CERTIFY, nonce)?;
    let malformed = |cause| CertifyRefusal::Statement(StatementRefusal::Malformed(cause));
    let certified = attest.body.sized(68, "certified name").map_err(malformed)?;
    attest.body.sized(68, "certified qualified name").map_err(malformed)?;
    attest.body.finish().map_err(malformed)?;

    let public = Public::parse(public).map_err(CertifyRefusal::Public)?;
    let name = public.name();
    if certified != name.as_bytes() {
        return Err(CertifyRefusal::OtherKey);
    }
    let point = tls_point(&public)?;
    Ok(Proven::new(TlsKey { name, point, spki_der: public.spki_der(), ak: ak.name(), clock: attest.clock }))
}

fn tls_point(public: &Public) -> Result<[u8; 65], CertifyRefusal> {
    let lacking = REQUIRED & !public.attributes;
    if lacking != 0 {
        return Err(CertifyRefusal::Lacks(attribute::name_of_lowest(lacking)));
    }
    let unwanted = FORBIDDEN & public.attributes;
    if unwanted != 0 {
        return Err(CertifyRefusal::Has(attribute::name_of_lowest(unwanted)));
    }
    match (&public.key, public.scheme) {
        (Key::P256 { x, y }, None | Some((ALG_ECDSA, ALG_SHA256))) => Ok(sec1(x, y)),
        _ => Err(CertifyRefusal::Algorithm),
    }
}
