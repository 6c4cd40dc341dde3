//! ActivateCredential: the proof that AK and EK live in one TPM (attestation.md, rule 7). The EK's policy is
//! PolicySecret(endorsement), so that a policy session goes before.

use zeroize::Zeroizing;

use super::command::{Auth, Command, Returns};
use super::keys::{ALG_NULL, ALG_SHA256, ENDORSEMENT, Key};
use super::wire::Writer;
use super::{Code, Tpm, TpmError, malformed};

/// TPM_RH_NULL.
const NULL: u32 = 0x4000_0007;
/// TPM_SE_POLICY.
const POLICY: u8 = 1;

/// A session, flushed when dropped.
struct Session<'a> {
    tpm: &'a Tpm,
    handle: u32,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.tpm.flush(self.handle);
    }
}

impl Tpm {
    /// Opens a credential made for `ek` and the name of `ak`.
    ///
    /// `credential` is a whole TPM2B_ID_OBJECT, `secret` a whole TPM2B_ENCRYPTED_SECRET, lengths included.
    ///
    /// # Errors
    /// [`TpmError::Refused`] when the credential is not for this pair of keys (TPM_RC_INTEGRITY, TPM_RC_VALUE).
    pub fn activate_credential(
        &self,
        ak: &Key,
        ek: &Key,
        credential: &[u8],
        secret: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, TpmError> {
        let session = self.endorsement_session()?;
        let code = Code::ActivateCredential;
        let command = Command::new(code)
            .handle(ak.handle())
            .handle(ek.handle())
            .auth(Auth::Empty)
            .auth(Auth::Policy(session.handle))
            .params(Writer::new().bytes(credential).bytes(secret));
        let response = self.run(&command, Returns::Nothing)?;
        let opened = response.reader().sized().map_err(malformed(code))?;
        Ok(Zeroizing::new(opened.to_vec()))
    }

    /// A policy session that satisfies the EK's policy.
    fn endorsement_session(&self) -> Result<Session<'_>, TpmError> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|_| TpmError::Random)?;
        let code = Code::StartAuthSession;
        let params = Writer::new().sized(&nonce).sized(&[]).u8(POLICY).u16(ALG_NULL).u16(ALG_SHA256);
        let response =
            self.run(&Command::new(code).handle(NULL).handle(NULL).params(params), Returns::Handle)?;
        let session = Session { tpm: self, handle: response.handle().map_err(malformed(code))? };
        // nonceTPM, cpHashA and policyRef are empty, expiration is 0: valid for this session only.
        let params = Writer::new().sized(&[]).sized(&[]).sized(&[]).u32(0);
        let command = Command::new(Code::PolicySecret)
            .handle(ENDORSEMENT)
            .handle(session.handle)
            .auth(Auth::Empty)
            .params(params);
        self.run(&command, Returns::Nothing)?;
        Ok(session)
    }
}
