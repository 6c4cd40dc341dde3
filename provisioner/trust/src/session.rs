//! One challenge and what is checked of its answer: all that is pure about an exchange.

use cairn_contract::{
    Digest, Evidence, SessionKey, Stage, Timestamp,
    attest::{Challenge, is_proof_of_activation, quote_binding},
};
use cairn_domain::{
    Level, Why,
    fact::Claim,
    policy::{Mode, TpmClass},
};
use cairn_evidence::{
    AkPublic, Proven, Statement,
    appraise::{self, BootReference, BootRefusal, BootReport},
    certify,
    credential::{self, CredentialError, ENTROPY},
    ek::{EkClass, EkPublic},
    pcr::{BOOT_PCRS, PcrValues},
    quote::{self, Demand, Quoted},
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{clocks::Clocks, keys::random};

/// A challenge that was sent and not answered yet.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: Uuid,
    pub(crate) key: SessionKey,
    pub(crate) claim: Claim,
    pub(crate) stage: Stage,
    pub(crate) until: Timestamp,
    ak: AkPublic,
    nonce: [u8; 32],
}

/// Refused, for a reason that goes onto the timeline.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Why);

/// What a proven TPM's measurements say.
#[derive(Debug)]
pub(crate) enum Boot {
    /// One of ours; in words.
    Believed(String),
    /// Something else, or nothing that can be told.
    Refused(Why),
}

impl Boot {
    /// What the site makes of it (rule 13): in observe mode a refused boot is recorded and goes on.
    pub(crate) fn judge(self, mode: Mode) -> Result<(Level, String), Refused> {
        match (self, mode) {
            (Self::Believed(report), _) => Ok((Level::Good, report)),
            (Self::Refused(why), Mode::Observe) => {
                Ok((Level::Warn, format!("but {why} (this site only observes)")))
            }
            (Self::Refused(why), Mode::Enforce) => Err(Refused(why)),
        }
    }
}

impl Refused {
    /// Because of the TPM's identity.
    pub(crate) fn tpm(error: &(dyn std::error::Error + 'static)) -> Self {
        Self(Why::TpmRefused(chain(error)))
    }

    fn evidence(error: &(dyn std::error::Error + 'static)) -> Self {
        Self(Why::EvidenceRefused(chain(error)))
    }
}

impl Session {
    /// Makes the challenge for this EK and AK, dead at `until`.
    pub(crate) fn open(
        ek: &EkPublic,
        ak: AkPublic,
        claim: Claim,
        stage: Stage,
        until: Timestamp,
    ) -> Result<(Challenge, Self), CredentialError> {
        let secret = Zeroizing::new(random());
        let mut entropy = Zeroizing::new([0; ENTROPY]);
        getrandom::fill(entropy.as_mut()).expect("the kernel's random source is always there on Linux");
        let credential = credential::make(ek, &ak.name(), secret.as_ref(), &entropy)?;
        let key = SessionKey::new(secret.as_ref()).expect("the secret has 32 bytes");
        let session = Self { id: Uuid::new_v4(), key, claim, stage, until, ak, nonce: random() };
        let challenge = Challenge {
            session: session.id,
            credential: credential.id_object.into(),
            secret: credential.encrypted_secret.into(),
            nonce: session.nonce.to_vec().into(),
            pcrs: BOOT_PCRS.iter().collect(),
            expires_s: 60,
        };
        Ok((challenge, session))
    }

    /// Does the answer come from the TPM that holds EK and AK (rule 7)?
    pub(crate) fn check_activation(&self, evidence: &Evidence) -> Result<(), Refused> {
        if is_proof_of_activation(&self.key, self.id, &self.nonce, &evidence.proof) {
            return Ok(());
        }
        Err(Refused(Why::TpmRefused(
            "it could not open the credential that was made for its endorsement key".into(),
        )))
    }

    /// Quote, log and measurements (rules 8, 9, 11, 12). `Err` is a quote that proves nothing.
    pub(crate) fn appraise(
        &self,
        evidence: &Evidence,
        exporter: &[u8; 32],
        references: &[BootReference],
        clocks: &Clocks,
    ) -> Result<Boot, Refused> {
        let quoted = self.quote(evidence, exporter)?;
        clocks.advance(self.claim.ek, quoted.clock).map_err(|e| Refused::evidence(&e))?;
        let log = (!evidence.event_log.0.is_empty()).then_some(evidence.event_log.0.as_slice());
        match appraise::appraise(&quoted, log, references) {
            Ok(report) => Ok(Boot::Believed(describe(&report, quoted.firmware_version))),
            Err(error @ BootRefusal::BootNotMeasured(_)) => {
                Ok(Boot::Refused(Why::BootNotMeasured(chain(&error))))
            }
            Err(error) => Ok(Boot::Refused(Why::EvidenceRefused(chain(&error)))),
        }
    }

    fn quote(&self, evidence: &Evidence, exporter: &[u8; 32]) -> Result<Proven<Quoted>, Refused> {
        let wrong_count =
            || Refused(Why::EvidenceRefused("it did not report one value for each demanded pcr".into()));
        if evidence.pcr_values.len() != BOOT_PCRS.iter().count() {
            return Err(wrong_count());
        }
        let mut values = PcrValues::default();
        for (pcr, value) in BOOT_PCRS.iter().zip(&evidence.pcr_values) {
            values.set(pcr, cairn_evidence::Digest(value.0)).map_err(|_| wrong_count())?;
        }
        let statement = Statement { message: &evidence.quote.0, signature: &evidence.signature.0 };
        let nonce = quote_binding(&self.nonce, exporter);
        let demand = Demand { nonce: &nonce, pcrs: BOOT_PCRS };
        quote::verify(&statement, &self.ak, &demand, &values).map_err(|e| Refused::evidence(&e))
    }

    /// SPKI of the TLS key that lives in the same TPM (rule 17).
    pub(crate) fn tls_key(&self, evidence: &Evidence, exporter: &[u8; 32]) -> Result<Vec<u8>, Refused> {
        let missing = || Refused(Why::EvidenceRefused("the agent sent no TLS key".into()));
        let claim = evidence.tls_key.as_ref().ok_or_else(missing)?;
        let statement = Statement { message: &claim.attest.0, signature: &claim.signature.0 };
        let nonce = quote_binding(&self.nonce, exporter);
        let key = certify::verify(&statement, &claim.public.0, &self.ak, &nonce)
            .map_err(|e| Refused::evidence(&e))?;
        Ok(key.spki_der.clone())
    }

    /// The AK's name without its algorithm prefix.
    pub(crate) fn ak_name(&self) -> Digest {
        let name = self.ak.name();
        let mut digest = [0; 32];
        digest.copy_from_slice(name.as_bytes().get(2..34).expect("a SHA-256 name has 34 bytes"));
        Digest(digest)
    }
}

fn describe(report: &BootReport, tpm_firmware: u64) -> String {
    let phases =
        if report.phases.is_empty() { String::new() } else { format!(", {}", report.phases.join(", ")) };
    format!(
        "{}, Secure Boot {}, TPM firmware {tpm_firmware:016x}{phases}",
        report.reference, report.secure_boot
    )
}

/// The policy's class of an endorsement.
pub(crate) fn tpm_class(class: EkClass) -> TpmClass {
    match class {
        EkClass::DiscreteWithCertificate => TpmClass::Discrete,
        EkClass::FirmwareWithCertificate => TpmClass::Firmware,
        EkClass::VirtualWithCertificate => TpmClass::Virtual,
        EkClass::UnlistedWithCertificate => TpmClass::Unlisted,
        EkClass::NoCertificate => TpmClass::NoCertificate,
    }
}

/// For people.
pub(crate) fn class_word(class: TpmClass) -> &'static str {
    match class {
        TpmClass::Discrete => "discrete TPM",
        TpmClass::Firmware => "firmware TPM",
        TpmClass::Virtual => "virtual TPM",
        TpmClass::Unlisted => "TPM of an unlisted maker",
        TpmClass::NoCertificate => "TPM without a certificate",
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_boot_goes_on_only_where_the_site_observes() {
        let refused = || Boot::Refused(Why::EvidenceRefused("pcr 4".into()));
        assert!(refused().judge(Mode::Enforce).is_err());
        let (level, text) = refused().judge(Mode::Observe).unwrap();
        assert!(level == Level::Warn && text.contains("pcr 4"));
        assert_eq!(Boot::Believed("x".into()).judge(Mode::Enforce).unwrap().0, Level::Good);
    }
}
