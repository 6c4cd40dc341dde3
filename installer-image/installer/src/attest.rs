//! Hello, challenge, evidence, verdict: until the provisioner gives a plan, or says that there is none.
//!
//! A host that must wait (unknown, refused, no image) keeps asking at the pace that the provisioner sets.

use std::time::Duration;

use cairn_contract::report::FailureKind;
use cairn_contract::{Hello, SiteTrust, Stage, Verdict};
use cairn_machine::attest::{self, Answer, AttestError};
use cairn_machine::inventory;
use cairn_machine::link::LinkError;
use cairn_machine::prover::Prover;
use cairn_machine::tpm::{Tpm, TpmError};
use tokio::time::{Instant, sleep};

use crate::failure::Failure;
use crate::network::Network;
use crate::plan::{self, Order};
use crate::wipe::WipeOrder;
use crate::{devices, report};

/// The provisioner may restart meanwhile; longer than this it is gone.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the proof led to.
#[derive(Debug)]
pub(crate) enum Outcome {
    Install(Box<Order>),
    Wipe(Box<WipeOrder>),
    BootDisk(String),
}

/// The TPM, ready; or why there is none.
pub(crate) type Prepared = Result<Prover, TpmError>;

/// Makes the TPM's keys.
pub(crate) fn prepare() -> Prepared {
    devices::wait_for_tpm();
    Prover::new(Tpm::open()?)
}

/// Asks until there is an outcome. What proved this machine comes back with it.
pub(crate) async fn prove(
    site: &SiteTrust,
    network: &mut Network,
    prepared: Prepared,
) -> Result<(Outcome, Option<Prover>), Failure> {
    let prover = prepared.inspect_err(|error| tracing::warn!("no proof is possible: {error:#}")).ok();
    let hello = Hello {
        stage: Stage::Installer,
        boot_id: uuid::Uuid::new_v4(),
        boot_mac: network.mac,
        inventory: inventory::take(prover.as_ref().map(Prover::tpm)),
        tpm: prover.as_ref().map(|p| p.claim().clone()),
    };
    report::known_as(&hello.inventory.smbios);
    let mut heard = Instant::now();
    let mut told = String::new();
    loop {
        let next = match once(site, network, &hello, prover.as_ref()).await {
            Ok(next) => {
                heard = Instant::now();
                next
            }
            Err(Stop::Failed(failure)) => return Err(failure),
            Err(Stop::Link(error)) => {
                let error = anyhow::Error::new(error);
                if heard.elapsed() > PATIENCE {
                    return Err(Failure::internal(error.context("the provisioner no longer answers")));
                }
                Next::Wait { why: format!("{error:#}"), seconds: 2 }
            }
        };
        match next {
            Next::Done(outcome) => return Ok((outcome, prover)),
            Next::Wait { why, seconds } => {
                if told != why {
                    tracing::info!("waiting: {why}");
                    told = why;
                }
                sleep(Duration::from_secs(u64::from(seconds.clamp(1, 300)))).await;
            }
        }
    }
}

enum Next {
    Done(Outcome),
    Wait { why: String, seconds: u32 },
}

/// One exchange, on one connection: the quote is bound to it.
async fn once(
    site: &SiteTrust,
    network: &mut Network,
    hello: &Hello,
    prover: Option<&Prover>,
) -> Result<Next, Stop> {
    let mut link = network.link(site).await?;
    let answer = attest::exchange(&mut link, hello, prover, None).await?;
    let (verdict, key) = match answer {
        Answer::Judged(verdict, key) => (*verdict, key),
        Answer::Wait { why, seconds } => return Ok(Next::Wait { why, seconds }),
    };
    match verdict {
        Verdict::Install { plan } => {
            report::proven(&key);
            let refused = |e| Stop::Failed(Failure::new(FailureKind::PlanRefused, e));
            let ak = prover.and_then(Prover::ak_name);
            let order = plan::accept(site, &plan, &key, ak).map_err(refused)?;
            report::ordered(order.plan.install);
            Ok(Next::Done(Outcome::Install(Box::new(order))))
        }
        Verdict::Wipe { plan } => {
            report::proven(&key);
            let refused = |e| Stop::Failed(Failure::new(FailureKind::PlanRefused, e));
            let order =
                plan::accept_wipe(site, &plan, &key, prover.and_then(Prover::ak_name)).map_err(refused)?;
            Ok(Next::Done(Outcome::Wipe(Box::new(order))))
        }
        Verdict::BootDisk { why } => Ok(Next::Done(Outcome::BootDisk(why))),
        Verdict::Wait { why, retry_after_s } | Verdict::Refused { why, retry_after_s } => {
            Ok(Next::Wait { why, seconds: retry_after_s })
        }
        Verdict::Enrolled { .. } => {
            let error = anyhow::anyhow!("the provisioner answers as if this were the installed system");
            Err(Stop::Failed(Failure::internal(error)))
        }
    }
}

enum Stop {
    /// Worth another attempt.
    Link(LinkError),
    Failed(Failure),
}

impl From<LinkError> for Stop {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl From<AttestError> for Stop {
    fn from(error: AttestError) -> Self {
        match error {
            AttestError::Link(error) => Self::Link(error),
            AttestError::Prove(_) | AttestError::NoTpm | AttestError::NotTls => {
                Self::Failed(Failure::internal(error.into()))
            }
        }
    }
}
