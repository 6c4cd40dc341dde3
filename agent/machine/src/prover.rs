//! This host's side of attestation: the claim, and the answer to a challenge (attestation.md, rules 4 to 8 and 17).
//!
//! ```text
//! Prover::new     EK, its certificates, AK          -> TpmClaim for the Hello
//! Prover::answer  ActivateCredential, Quote, log    -> Evidence, and the key that opens what is given for it
//! ```
//! Blocking: a TPM takes up to seconds. Called by installer and agent.

use std::io;

use cairn_contract::attest::{Challenge, TlsKeyClaim, TpmClaim, proof_of_activation, quote_binding};
use cairn_contract::wipe::wipe_binding;
use cairn_contract::{Digest, Evidence, Hex, SessionKey, Signed, WipePlan, WipeProof};

use crate::eventlog;
use crate::tpm::{Key, PcrSelection, Tpm, TpmError};

/// Why no evidence could be made.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The TPM would not.
    #[error("the TPM does not answer the challenge")]
    Tpm(#[from] TpmError),
    /// The credential opened to something else than a session key.
    #[error("the challenge holds {0} bytes instead of a session key")]
    Secret(usize),
    /// The event log cannot be read.
    #[error("the TCG event log cannot be read")]
    EventLog(#[source] io::Error),
    /// A PCR that was asked for is not in the SHA-256 bank.
    #[error("this TPM's SHA-256 bank has no PCR {0}")]
    NoPcr(u8),
}

/// The keys that prove this machine.
#[derive(Debug)]
pub struct Prover {
    tpm: Tpm,
    ek: Key,
    ak: Key,
    claim: TpmClaim,
}

impl Prover {
    /// Makes the keys and reads the certificates.
    ///
    /// # Errors
    /// As the TPM's verbs.
    pub fn new(tpm: Tpm) -> Result<Self, TpmError> {
        let certificates = tpm.ek_certificates()?;
        let ek = tpm.ek()?;
        let ak = tpm.create_ak()?;
        let hex = |bytes: &[u8]| Hex(bytes.to_vec());
        let claim = TpmClaim {
            ek_public: hex(ek.public()),
            ek_certificate: certificates.rsa().map(hex),
            ek_chain: certificates.chain().map(hex).collect(),
            ak_public: hex(ak.public()),
        };
        Ok(Self { tpm, ek, ak, claim })
    }

    /// The TPM behind it.
    #[must_use]
    pub fn tpm(&self) -> &Tpm {
        &self.tpm
    }

    /// For the `Hello`.
    #[must_use]
    pub fn claim(&self) -> &TpmClaim {
        &self.claim
    }

    /// The AK's name without its algorithm: whom a plan must name.
    #[must_use]
    pub fn ak_name(&self) -> Option<Digest> {
        self.ak.name().get(2..)?.try_into().ok().map(Digest)
    }

    /// Answers a challenge on the connection with this exporter; `tls_key` is certified along with it.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn answer(
        &self,
        challenge: &Challenge,
        exporter: &[u8; 32],
        tls_key: Option<&Key>,
    ) -> Result<(Evidence, SessionKey), ProveError> {
        let secret =
            self.tpm.activate_credential(&self.ak, &self.ek, &challenge.credential.0, &challenge.secret.0)?;
        let key = SessionKey::new(&secret).ok_or(ProveError::Secret(secret.len()))?;
        let binding = quote_binding(&challenge.nonce.0, exporter);
        let selection = PcrSelection::of(challenge.pcrs.iter().copied());
        let quote = self.tpm.quote(&self.ak, &binding, selection)?;
        let values = self.tpm.pcr_read(selection)?;
        let value = |pcr: &u8| {
            let found = values.iter().find(|(index, _)| index == pcr);
            found.map(|(_, value)| Digest(*value)).ok_or(ProveError::NoPcr(*pcr))
        };
        let evidence = Evidence {
            session: challenge.session,
            proof: proof_of_activation(&key, challenge.session, &challenge.nonce.0),
            quote: Hex(quote.attest),
            signature: Hex(quote.signature),
            pcr_values: challenge.pcrs.iter().map(value).collect::<Result<_, _>>()?,
            event_log: Hex(eventlog::read().map_err(ProveError::EventLog)?),
            tls_key: tls_key.map(|key| self.certify(key, &binding)).transpose()?,
        };
        Ok((evidence, key))
    }

    /// The TPM's word for a wipe: a quote over the plan's PCRs that is bound to its nonce and to `report`.
    ///
    /// # Errors
    /// As the TPM's verbs.
    pub fn prove_wipe(
        &self,
        plan: &WipePlan,
        signed: Signed<WipePlan>,
        report: String,
    ) -> Result<WipeProof, TpmError> {
        let binding = wipe_binding(&plan.nonce, &report);
        let quote = self.tpm.quote(&self.ak, &binding, PcrSelection::of(plan.pcrs.iter().copied()))?;
        Ok(WipeProof {
            plan: signed,
            report,
            ak_public: self.claim.ak_public.clone(),
            quote: Hex(quote.attest),
            signature: Hex(quote.signature),
        })
    }

    fn certify(&self, key: &Key, binding: &[u8; 32]) -> Result<TlsKeyClaim, TpmError> {
        let certified = self.tpm.certify(key, &self.ak, binding)?;
        Ok(TlsKeyClaim {
            public: Hex(key.public().to_vec()),
            attest: Hex(certified.attest),
            signature: Hex(certified.signature),
        })
    }
}
