//! `cairn-installer`: the first process of the installer image.
//!
//! ```text
//! mounts, modules -> network -> hello, evidence -> plan -> write, read back, GPT -> report -> reboot
//!                                                     \-> wipe, read back, quote -> proof -> off
//! ```
//! It decides nothing: the plan says what goes where, and the disk selector which disk. Whatever fails, a panic
//! included, is shown on the console, reported if the provisioner can be reached, and ends in a reboot after a
//! countdown; the provisioner counts the attempts.

mod attest;
mod devices;
mod failure;
mod network;
mod phases;
mod plan;
mod report;
mod wipe;
mod write;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use cairn_contract::SiteTrust;
use cairn_contract::report::{FailureKind, Phase};
use cairn_machine::start;
use cairn_machine::{clock, console};

use attest::Outcome;
use failure::Failure;
use phases::Phases;

/// Part of the signed, measured image.
const SITE: &str = "/cairn/site.json";
/// Time to read the console before a failed attempt reboots.
const COUNTDOWN: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    if std::process::id() != 1 {
        eprintln!("cairn-installer is the first process of the installer image, and does nothing elsewhere.");
        return ExitCode::FAILURE;
    }
    let mounted = start::mount_basics();
    // Without a console there is nobody to tell; the work goes on.
    let _ = start::open_console();
    console::init();
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.to_string();
        eprintln!("cairn: ! the installer failed: {text}");
        report::last_words(FailureKind::Internal, &text);
        reboot_after(COUNTDOWN);
    }));
    let done = mounted.map_err(|e| Failure::internal(e.into())).and_then(|()| run());
    match done {
        Ok(End::Reboot) => reboot_after(Duration::ZERO),
        Ok(End::Off) => {
            let error = start::power_off();
            tracing::error!("the machine does not turn itself off: {error}");
            reboot_after(COUNTDOWN);
        }
        Err(Failure { kind, error }) => {
            tracing::error!("installation failed: {error:#}");
            report::last_words(kind, &format!("{error:#}"));
            reboot_after(COUNTDOWN);
        }
    }
    ExitCode::FAILURE
}

/// What comes after the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Reboot,
    /// Nothing is left to boot.
    Off,
}

fn reboot_after(countdown: Duration) {
    if !countdown.is_zero() {
        tracing::info!("rebooting in {} s", countdown.as_secs());
        std::thread::sleep(countdown);
    }
    let error = start::reboot();
    // PID 1 must not end: the kernel would panic. Its `panic=` reboots as well, so nothing better is left.
    tracing::error!("the machine does not reboot: {error}");
}

fn run() -> Result<End, Failure> {
    let mut phases = Phases::since(clock::since_boot_millis());
    let site = read_site().map_err(Failure::internal)?;
    tracing::info!("Cairn installer {} for site {}", env!("CARGO_PKG_VERSION"), site.site);
    report::prepare(&site).map_err(Failure::internal)?;
    if clock::now() < site.not_before
        && let Err(error) = clock::set(site.not_before)
    {
        tracing::warn!("the clock is wrong and cannot be set: {error}");
    }
    devices::load();
    phases.end(Phase::Devices);
    // A TPM takes its time while the network waits for its own.
    let prover = std::thread::spawn(attest::prepare);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("no runtime").map_err(Failure::internal)?;
    runtime.block_on(install(&site, prover, phases))
}

fn read_site() -> anyhow::Result<SiteTrust> {
    let text = std::fs::read(SITE).with_context(|| format!("cannot read {SITE}"))?;
    serde_json::from_slice(&text).with_context(|| format!("{SITE} is not what it should be"))
}

async fn install(
    site: &SiteTrust,
    prover: std::thread::JoinHandle<attest::Prepared>,
    mut phases: Phases,
) -> Result<End, Failure> {
    let mut network = network::connect(site).await?;
    phases.end(Phase::Network);
    let prepared = tokio::task::spawn_blocking(|| prover.join()).await.ok().and_then(Result::ok);
    let prepared = prepared.context("the TPM's thread ended").map_err(Failure::internal)?;
    let (outcome, prover) = attest::prove(site, &mut network, prepared).await?;
    phases.end(Phase::Attest);
    match outcome {
        Outcome::BootDisk(why) => {
            tracing::info!("nothing to install: {why}");
        }
        Outcome::Install(order) => write::carry_out(site, &network, *order, phases).await?,
        Outcome::Wipe(order) => {
            let prover = prover.context("nothing proved this machine").map_err(Failure::internal)?;
            wipe::carry_out(site, &network, *order, prover, phases).await?;
            return Ok(End::Off);
        }
    }
    Ok(End::Reboot)
}
