//! The service: prove, get a certificate, keep one connection, again and again.
//!
//! ```text
//!  enrolling --certificate--> connected --half of its life--> enrolling
//!      ^  | wait, refused         | connection lost: dial again, same certificate
//!      +--+                       | not admitted: enrol again
//! ```
//! It runs for ever: every failure is logged and followed by another attempt.

mod connected;
mod enrol;
pub(crate) mod pace;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use cairn_contract::SiteTrust;
use cairn_machine::clock;
use cairn_machine::prover::Prover;
use cairn_machine::tpm::Tpm;
use tokio::sync::watch;
use uuid::Uuid;

use crate::workloads::{self, access::Access};
use pace::Pace;

const SITE: &str = "/run/cairn/site.json";
/// A TPM that is not there yet, or a server that is gone: asked again at this pace at least.
const SLOWEST: Duration = Duration::from_secs(15);

/// What stays the same while this process runs.
struct Host {
    site: SiteTrust,
    prover: Option<Prover>,
    boot_id: Uuid,
    slot: String,
}

/// Serves until the machine ends.
pub fn run() -> anyhow::Result<()> {
    let site = fs::read(SITE).with_context(|| format!("cannot read {SITE}"))?;
    let site: SiteTrust =
        serde_json::from_slice(&site).with_context(|| format!("{SITE} is not understood"))?;
    if clock::now() < site.not_before
        && let Err(error) = clock::set(site.not_before)
    {
        tracing::warn!("the clock is wrong and cannot be set: {error}");
    }
    let host = Host {
        prover: open_tpm(),
        boot_id: boot_id(),
        slot: fs::read_to_string("/run/cairn/slot").unwrap_or_default(),
        site,
    };
    let (tell, accesses) = watch::channel(None);
    workloads::spawn(workloads::Config::usual(host.site.server), accesses)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(serve(&host, &tell))
}

async fn serve(host: &Host, tell: &watch::Sender<Option<Access>>) -> anyhow::Result<()> {
    let mut pace = Pace::new(SLOWEST);
    loop {
        let failed = match enrol::enrol(host).await {
            Ok(enrolled) => {
                pace.succeeded();
                tracing::info!("enrolled as host {}", enrolled.host);
                let (server, trust) = (host.site.server, enrolled.trust.clone());
                tell.send_replace(Some(Access { server, trust, host: enrolled.host }));
                connected::stay(host, &enrolled).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = failed {
            tracing::warn!("{error:#}");
            pace.failed().await;
        }
    }
}

fn open_tpm() -> Option<Prover> {
    let prover = Tpm::open().and_then(Prover::new);
    prover.inspect_err(|error| tracing::warn!("no proof is possible: {:#}", anyhow::anyhow!("{error}"))).ok()
}

/// The kernel's own, so that a restarted agent is known to be in the same boot.
fn boot_id() -> Uuid {
    let text = fs::read_to_string(Path::new("/proc/sys/kernel/random/boot_id")).unwrap_or_default();
    Uuid::parse_str(text.trim()).unwrap_or_else(|_| Uuid::new_v4())
}
