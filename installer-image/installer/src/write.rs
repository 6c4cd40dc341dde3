//! Carries out the plan: chooses the disk, writes, reads back, makes it bootable, reports.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use cairn_contract::report::{Phase, ReportKind};
use cairn_contract::{ReportReply, SiteTrust};
use cairn_machine::disk::{self, Disk, Target};
use cairn_machine::install::{EspFile, InstallError, Job, Watch};
use cairn_machine::link::{FrameSource, Frames};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};

use crate::failure::Failure;
use crate::network::Network;
use crate::phases::Phases;
use crate::plan::Order;
use crate::report::Reporter;

/// Disks behind slow controllers appear late.
pub(crate) const DISK_LIMIT: Duration = Duration::from_secs(15);
pub(crate) const EVERY: Duration = Duration::from_secs(1);
/// The end is worth telling twice and more: without it the provisioner waits for its deadline.
const LAST_REPORT_LIMIT: Duration = Duration::from_secs(60);

/// From plan to bootable disk. On success the machine reboots.
pub(crate) async fn carry_out(
    site: &SiteTrust,
    network: &Network,
    order: Order,
    mut phases: Phases,
) -> Result<(), Failure> {
    let Order { plan, image } = order;
    let name = format!("{} version {}", image.name, image.version);
    let blob = format!("/artifacts/sha256/{}", image.blob);
    let disk = choose(&plan.disk, image.disk_size()).await?;
    tracing::info!("installing {name} on {}", disk.describe());
    let target = Arc::new(Target::open(&disk)?);
    let job = Arc::new(Job::plan(image, plan.install, &target)?);
    // From here on: a large disk takes minutes to discard, and silence would pass for a stalled installer.
    let watch = Arc::new(Watch::default());
    let mut telling = JoinSet::new();
    telling.spawn(tell(watch.clone()));
    blocking(&job, &target, Job::prepare).await?;
    phases.end(Phase::Prepare);

    let source = match site.plain_http {
        Some(plain) => FrameSource::Plain(plain),
        None => FrameSource::Tls(site.server, network.trust.clone()),
    };
    let mut frames = Frames::new(source, blob);
    job.write(target.clone(), &mut frames, watch.clone()).await?;
    phases.end(Phase::Write);

    blocking(&job, &target, Job::verify).await?;
    phases.end(Phase::Verify);
    let host_file = serde_json::to_vec_pretty(&plan.host_file).context("the host's file");
    let bytes = host_file.map_err(Failure::internal)?;
    let files = [EspFile { path: "cairn/host.json".into(), bytes }];
    blocking(&job, &target, move |job, target| job.finish(target, &files)).await?;
    phases.end(Phase::Finish);

    drop(telling);
    let (phases, resumed, target) = (phases.all(), watch.resumed(), Some(disk.info.clone()));
    report_end(ReportKind::Finished { disk: disk.describe(), phases, resumed, target }).await;
    Ok(())
}

/// Waits until a disk matches; gives the reason of the last look.
async fn choose(selector: &cairn_contract::DiskSelector, need: u64) -> Result<Disk, Failure> {
    let end = Instant::now() + DISK_LIMIT;
    loop {
        match disk::select(selector, need, &disk::list()) {
            Ok(disk) => return Ok(disk.clone()),
            Err(error) if Instant::now() >= end => return Err(error.into()),
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Disk work off the runtime's only thread.
async fn blocking(
    job: &Arc<Job>,
    target: &Arc<Target>,
    work: impl FnOnce(&Job, &Target) -> Result<(), InstallError> + Send + 'static,
) -> Result<(), Failure> {
    let (job, target) = (job.clone(), target.clone());
    match spawn_blocking(move || work(&job, &target)).await {
        Ok(done) => done.map_err(Failure::from),
        Err(error) => Err(Failure::internal(error.into())),
    }
}

/// Reports progress every second, and listens for an order to stop. A report that fails is followed by the next.
async fn tell(watch: Arc<Watch>) {
    let Some(mut reporter) = Reporter::of_installation() else { return };
    loop {
        sleep(EVERY).await;
        let (done, total) = watch.progress();
        let phase = if total == 0 { Phase::Prepare } else { Phase::Write };
        match reporter.send(ReportKind::Progress { phase, done, total }).await {
            Ok(ReportReply::Continue) => {}
            Ok(ReportReply::Stop { why }) => {
                tracing::warn!("the provisioner stops this installation: {why}");
                watch.stop();
                return;
            }
            Err(error) => tracing::debug!("progress was not reported: {error}"),
        }
    }
}

async fn report_end(kind: ReportKind) {
    let Some(mut reporter) = Reporter::of_installation() else { return };
    let end = Instant::now() + LAST_REPORT_LIMIT;
    while let Err(error) = reporter.send(kind.clone()).await {
        tracing::warn!("the end was not reported: {:#}", anyhow::Error::new(error));
        if Instant::now() >= end {
            return; // The disk is bootable: its agent will report.
        }
        sleep(EVERY).await;
    }
}
