//! Hello, challenge, evidence, verdict: until the provisioner gives a plan, or says that there is none.
//!
//! A host that must wait (unknown, refused, no image) keeps asking at the pace that the provisioner sets.

use std::time::Duration;

use anyhow::Context as _;
use cairn_contract::report::FailureKind;
use cairn_contract::{Evidence, Hello, HelloReply, SiteTrust, Stage, Verdict};
use cairn_machine::link::{Link, LinkError};
use cairn_machine::prover::{ProveError, Prover};
use cairn_machine::tpm::{Tpm, TpmError};
use cairn_machine::{clock, inventory};
use tokio::time::{Instant, sleep};

use crate::failure::Failure;
use crate::network::Network;
use crate::plan::{self, Order};
use crate::{devices, report};

/// An answer includes the appraisal of the evidence.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// The provisioner may restart meanwhile; longer than this it is gone.
const PATIENCE: Duration = Duration::from_secs(300);
/// A server's clock that differs by more is taken over.
const DRIFT_S: i64 = 5;

/// What the proof led to.
#[derive(Debug)]
pub(crate) enum Outcome {
    Install(Box<Order>),
    BootDisk(String),
}

/// The TPM, ready; or why there is none.
pub(crate) type Prepared = Result<Prover, TpmError>;

/// Makes the TPM's keys.
pub(crate) fn prepare() -> Prepared {
    devices::wait_for_tpm();
    Prover::new(Tpm::open()?)
}

/// Asks until there is an outcome.
pub(crate) async fn prove(
    site: &SiteTrust,
    network: &mut Network,
    prepared: Prepared,
) -> Result<Outcome, Failure> {
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
        let next = match exchange(site, network, &hello, prover.as_ref()).await {
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
            Next::Done(outcome) => return Ok(outcome),
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

/// One exchange, on one connection: the quote is bound to it.
async fn exchange(
    site: &SiteTrust,
    network: &mut Network,
    hello: &Hello,
    prover: Option<&Prover>,
) -> Result<Next, Stop> {
    let mut link = network.link(site).await?;
    let reply: HelloReply = link.post_json("/host/v1/hello", hello, None, ANSWER_LIMIT).await?;
    follow_clock(&link);
    let (challenge, prover) = match (reply, prover) {
        (HelloReply::Challenge(challenge), Some(prover)) => (challenge, prover),
        (HelloReply::Challenge(_), None) => {
            return Ok(Next::Wait { why: "challenged without a TPM".into(), seconds: 60 });
        }
        (HelloReply::Wait { why, retry_after_s } | HelloReply::Refused { why, retry_after_s }, _) => {
            return Ok(Next::Wait { why, seconds: retry_after_s });
        }
    };
    let exporter = *link.exporter().context("no TLS").map_err(|e| Stop::Failed(Failure::internal(e)))?;
    let answered = prover.answer(&challenge, &exporter, None);
    let (evidence, key) = answered.map_err(|e: ProveError| Stop::Failed(Failure::internal(e.into())))?;
    let verdict = submit(&mut link, &evidence).await?;
    network.link = Some(link);
    match verdict {
        Verdict::Install { plan } => {
            report::proven(&key);
            let refused = |e| Stop::Failed(Failure::new(FailureKind::PlanRefused, e));
            let order = plan::accept(site, &plan, &key, prover.ak_name()).map_err(refused)?;
            report::ordered(order.plan.install);
            Ok(Next::Done(Outcome::Install(Box::new(order))))
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

async fn submit(link: &mut Link, evidence: &Evidence) -> Result<Verdict, LinkError> {
    link.post_json("/host/v1/evidence", evidence, None, ANSWER_LIMIT).await
}

/// Takes over the clock of the server, which has proven to be the site's.
fn follow_clock(link: &Link) {
    let Some(theirs) = link.server_time() else { return };
    let off = theirs.seconds().saturating_sub(clock::now().seconds());
    if off.abs() <= DRIFT_S {
        return;
    }
    match clock::set(theirs) {
        Ok(()) => tracing::info!("the clock was off by {off} s and follows the provisioner's"),
        Err(error) => tracing::warn!("the clock is off by {off} s and cannot be set: {error}"),
    }
}
