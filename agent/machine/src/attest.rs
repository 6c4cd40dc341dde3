//! The exchange itself, on one connection: hello, challenge, evidence, verdict. What follows from a verdict is the
//! program's: the installer wants a plan, the agent a certificate.

use std::time::Duration;

use cairn_contract::{Hello, HelloReply, SessionKey, Verdict};

use crate::clock;
use crate::link::{Link, LinkError};
use crate::prover::{ProveError, Prover};
use crate::tpm::Key;

/// An answer includes the appraisal of the evidence.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// What came of it.
#[derive(Debug)]
pub enum Answer {
    /// The evidence was judged; the key opens what was sealed for it.
    Judged(Box<Verdict>, SessionKey),
    /// No challenge yet.
    Wait {
        /// For the console.
        why: String,
        /// Seconds until asking again makes sense.
        seconds: u32,
    },
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum AttestError {
    /// The connection; worth another attempt.
    #[error("the exchange with the provisioner broke")]
    Link(#[from] LinkError),
    /// The TPM or the challenge.
    #[error("this host cannot prove itself")]
    Prove(#[from] ProveError),
    /// A challenge came although no TPM was claimed.
    #[error("the provisioner challenges a host without a TPM")]
    NoTpm,
    /// The connection has no exporter: it is not TLS.
    #[error("evidence is given over TLS only")]
    NotTls,
}

/// Says hello and, if challenged, proves. The clock follows the server, which has proven to be the site's.
///
/// # Errors
/// [`AttestError`].
pub async fn exchange(
    link: &mut Link,
    hello: &Hello,
    prover: Option<&Prover>,
    tls_key: Option<&Key>,
) -> Result<Answer, AttestError> {
    let reply = link.post_json("/host/v1/hello", hello, None, ANSWER_LIMIT).await?;
    if let Some(time) = link.server_time() {
        clock::follow(time);
    }
    let challenge = match reply {
        HelloReply::Challenge(challenge) => challenge,
        HelloReply::Wait { why, retry_after_s } | HelloReply::Refused { why, retry_after_s } => {
            return Ok(Answer::Wait { why, seconds: retry_after_s });
        }
    };
    let exporter = *link.exporter().ok_or(AttestError::NotTls)?;
    let (evidence, key) = prover.ok_or(AttestError::NoTpm)?.answer(&challenge, &exporter, tls_key)?;
    let verdict = link.post_json("/host/v1/evidence", &evidence, None, ANSWER_LIMIT).await?;
    Ok(Answer::Judged(Box::new(verdict), key))
}
