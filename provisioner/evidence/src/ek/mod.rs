//! The endorsement key: the identity of a TPM, and so of its host.
//!
//! It only decrypts, which is why a credential can be made for it and nothing can be signed by it. Its certificate, where
//! it has one, is judged by [`verify_chain`].

mod chain;
mod manufacturer;
mod template;

pub use chain::{EkEndorsement, EkEvidence, EkRefusal, EkTrust, verify_chain};
pub use manufacturer::EkClass;
pub use template::Template;

use crate::Digest;
use crate::public::{Key, Name, Public};
use crate::wire::Malformed;

/// Why a public area is not that of an endorsement key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EkPublicRefusal {
    /// It cannot be read.
    #[error("the endorsement key's public area is malformed")]
    Malformed(#[from] Malformed),
    /// Attributes, policy or algorithms are not those of a TCG template: such a key may be used by others, or leave.
    #[error("the endorsement key follows no tcg template")]
    Template,
}

/// An endorsement key made from a TCG template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EkPublic {
    public: Public,
    template: Template,
    spki_der: Vec<u8>,
}

impl EkPublic {
    /// Reads a TPMT_PUBLIC or TPM2B_PUBLIC and finds its template (EK Credential Profile 2.5, B.3 and B.4).
    pub fn parse(bytes: &[u8]) -> Result<Self, EkPublicRefusal> {
        let public = Public::parse(bytes)?;
        let template = Template::of(&public).ok_or(EkPublicRefusal::Template)?;
        let spki_der = public.spki_der();
        Ok(Self { public, template, spki_der })
    }

    /// The template it was made from.
    #[must_use]
    pub fn template(&self) -> Template {
        self.template
    }

    /// DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// SHA-256 of the SubjectPublicKeyInfo: the identity of the host, as operators register it.
    #[must_use]
    pub fn spki_sha256(&self) -> Digest {
        Digest::of(&self.spki_der)
    }

    /// The TPM's name of the key.
    #[must_use]
    pub fn name(&self) -> Name {
        self.public.name()
    }

    pub(crate) fn key(&self) -> &Key {
        &self.public.key
    }
}
