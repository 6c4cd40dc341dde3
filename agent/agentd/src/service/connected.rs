//! The one connection: HTTP/2 under this host's certificate, an inventory first, then heartbeats.

use std::fs;
use std::time::Duration;

use cairn_contract::{Heartbeat, HeartbeatReply};
use cairn_machine::link::{Link, LinkError, Protocol};
use cairn_machine::prover::Prover;
use cairn_machine::{clock, inventory};
use tokio::time::{Instant, sleep, sleep_until};

use super::enrol::Enrolled;
use super::pace::Pace;
use super::{Host, SLOWEST};

const LIMIT: Duration = Duration::from_secs(10);

/// Stays connected until the certificate should be renewed (`Ok`), or the provisioner does not admit it (`Err`).
pub(super) async fn stay(host: &Host, enrolled: &Enrolled) -> anyhow::Result<()> {
    let renewal = Instant::now() + enrolled.renew_after;
    let mut pace = Pace::new(SLOWEST);
    loop {
        let lost = tokio::select! {
            error = beat(host, enrolled, &mut pace) => error,
            () = sleep_until(renewal) => return Ok(()),
        };
        // 401 and 403, or a server that drops us time and again: this certificate gives nothing any more; proving
        // oneself may.
        let refused =
            matches!(&lost, LinkError::Status { status, .. } if matches!(status.as_u16(), 401 | 403));
        if refused || pace.is_slowest() {
            return Err(lost.into());
        }
        tracing::warn!("the connection is lost: {:#}", anyhow::Error::new(lost));
        pace.failed().await;
    }
}

/// One connection's life; ends with what ended it.
async fn beat(host: &Host, enrolled: &Enrolled, pace: &mut Pace) -> LinkError {
    let mut link = match Link::connect(host.site.server, &enrolled.trust, Protocol::Http2, LIMIT).await {
        Ok(link) => link,
        Err(error) => return error,
    };
    let inventory = inventory::take(host.prover.as_ref().map(Prover::tpm));
    if let Err(error) = link.post_json::<_, ()>("/host/v1/inventory", &inventory, None, LIMIT).await {
        return error;
    }
    tracing::info!("connected to {}", host.site.server);
    loop {
        let heartbeat = Heartbeat {
            boot_id: host.boot_id,
            uptime_s: clock::since_boot_millis() / 1000,
            slot: host.slot.clone(),
            agent_rss: resident(&fs::read_to_string("/proc/self/status").unwrap_or_default()),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let reply = link.post_json::<_, HeartbeatReply>("/host/v1/heartbeat", &heartbeat, None, LIMIT).await;
        match reply {
            Ok(reply) => {
                pace.succeeded();
                let asked = Duration::from_secs(u64::from(reply.next_s));
                sleep(asked.clamp(Duration::from_secs(1), enrolled.heartbeat * 6)).await;
            }
            Err(error) => return error,
        }
    }
}

/// VmRSS in bytes (proc_pid_status(5)).
fn resident(status: &str) -> u64 {
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0).saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t    2048 kB\n"), 2 << 20);
        assert_eq!(resident(""), 0);
        assert!(resident(&fs::read_to_string("/proc/self/status").unwrap()) > 0);
    }
}
