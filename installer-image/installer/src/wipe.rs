//! Carries out a wipe: finds the one disk, makes it zero, reads back, has the TPM sign what was done, and tells it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use cairn_contract::report::{FailureKind, Phase, ReportKind};
use cairn_contract::{ReportReply, Signed, SiteTrust, WipePlan, WipeProof, WipeReport};
use cairn_machine::disk::{self, Disk, SelectError, Target};
use cairn_machine::install::Watch;
use cairn_machine::link::{Link, LinkError, Protocol};
use cairn_machine::prover::Prover;
use cairn_machine::wipe;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};

use crate::failure::Failure;
use crate::network::Network;
use crate::phases::Phases;
use crate::report::Reporter;
use crate::write::{DISK_LIMIT, EVERY};

const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// A proof that is not told must be earned again, by another wipe.
const TELL_LIMIT: Duration = Duration::from_secs(600);

/// A plan that holds, as it came and as it reads.
#[derive(Debug)]
pub(crate) struct WipeOrder {
    pub(crate) plan: WipePlan,
    pub(crate) signed: Signed<WipePlan>,
}

/// From plan to a proof that was accepted. On success the machine turns itself off: nothing is left to boot.
pub(crate) async fn carry_out(
    site: &SiteTrust,
    network: &Network,
    order: WipeOrder,
    prover: Prover,
    mut phases: Phases,
) -> Result<(), Failure> {
    let disk = choose(&order.plan).await?;
    tracing::warn!("wiping {}: this host is taken out of service", disk.describe());
    let target = Target::open(&disk)?;
    let watch = Arc::new(Watch::default());
    let mut telling = JoinSet::new();
    telling.spawn(tell(watch.clone(), target.size()));
    let work = spawn_blocking(move || {
        let report = wipe::run(&order.plan, &disk, &target, &watch)?;
        sign(&prover, order, &report)
    });
    let proof = work.await.context("the wipe ended unexpectedly").map_err(Failure::internal)??;
    drop(telling);
    phases.end(Phase::Wipe);
    hand_in(site, network, &proof).await
}

/// Waits until a disk matches; exactly one may.
async fn choose(plan: &WipePlan) -> Result<Disk, Failure> {
    let end = Instant::now() + DISK_LIMIT;
    loop {
        match disk::select_only(&plan.disk, &disk::list()) {
            Ok(disk) => return Ok(disk.clone()),
            Err(error @ SelectError::Several(_)) => return Err(error.into()),
            Err(error) if Instant::now() >= end => return Err(error.into()),
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}

fn sign(prover: &Prover, order: WipeOrder, report: &WipeReport) -> Result<WipeProof, Failure> {
    let text = serde_json::to_string(report).context("the wipe's report").map_err(Failure::internal)?;
    let WipeOrder { plan, signed } = order;
    prover.prove_wipe(&plan, signed, text).map_err(|e| Failure::new(FailureKind::Internal, e))
}

/// As for an installation: every second, and an order to stop is followed.
async fn tell(watch: Arc<Watch>, size: u64) {
    let Some(mut reporter) = Reporter::of_installation() else { return };
    loop {
        sleep(EVERY).await;
        let (done, total) = watch.progress();
        let phase = if done < size { Phase::Wipe } else { Phase::Verify };
        match reporter.send(ReportKind::Progress { phase, done, total }).await {
            Ok(ReportReply::Continue) => {}
            Ok(ReportReply::Stop { why }) => {
                tracing::warn!("the provisioner stops this wipe: {why}");
                watch.stop();
                return;
            }
            Err(error) => tracing::debug!("progress was not reported: {error}"),
        }
    }
}

async fn hand_in(site: &SiteTrust, network: &Network, proof: &WipeProof) -> Result<(), Failure> {
    let end = Instant::now() + TELL_LIMIT;
    loop {
        match send(site, network, proof).await {
            Ok(ReportReply::Continue) => {
                tracing::info!("the wipe is proven; this machine turns itself off");
                return Ok(());
            }
            Ok(ReportReply::Stop { why }) => {
                return Err(Failure::internal(anyhow::anyhow!(
                    "the proof of the wipe was not accepted: {why}"
                )));
            }
            Err(error) if Instant::now() >= end => {
                let error = anyhow::Error::new(error).context("the proof of the wipe was not told");
                return Err(Failure::internal(error));
            }
            Err(error) => tracing::warn!("the proof was not told: {:#}", anyhow::Error::new(error)),
        }
        sleep(Duration::from_secs(2)).await;
    }
}

async fn send(site: &SiteTrust, network: &Network, proof: &WipeProof) -> Result<ReportReply, LinkError> {
    let mut link = Link::connect(site.server, &network.trust, Protocol::Http1, ANSWER_LIMIT).await?;
    link.post_json("/host/v1/wiped", proof, None, ANSWER_LIMIT).await
}
