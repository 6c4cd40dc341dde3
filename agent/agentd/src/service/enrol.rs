//! From the TPM's keys to a certificate.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use cairn_contract::{Hello, HostId, Mac, Stage, Verdict};
use cairn_machine::attest::{self, Answer};
use cairn_machine::link::{Identity, Link, Protocol, Trust};
use cairn_machine::prover::Prover;
use cairn_machine::tpm::{Key, TpmSigningKey};
use cairn_machine::{inventory, net};
use rustls_pki_types::CertificateDer;
use tokio::time::sleep;

use super::Host;

const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// A proven host's identity.
#[derive(Debug)]
pub(super) struct Enrolled {
    pub(super) host: HostId,
    /// Trusts the site and shows this host's certificate.
    pub(super) trust: Trust,
    pub(super) renew_after: Duration,
    pub(super) heartbeat: Duration,
}

/// Proves this host, waiting as long as the provisioner says.
pub(super) async fn enrol(host: &Host) -> anyhow::Result<Enrolled> {
    let site = &host.site;
    let trust = Trust::new(&site.ca.0, site.not_before, None)?;
    let tls_key = match &host.prover {
        Some(prover) => Some(Arc::new(prover.tpm().create_tls_key().context("no TLS key in the TPM")?)),
        None => None,
    };
    let mut told = String::new();
    loop {
        let (why, seconds) = match ask(host, &trust, tls_key.as_deref()).await? {
            Asked::Enrolled { id, chain, renew_after_s, heartbeat_s } => {
                let key = tls_key.context("a certificate without a key")?;
                let identity = Identity { chain, key: Arc::new(TpmSigningKey::new(key)) };
                return Ok(Enrolled {
                    host: id,
                    trust: Trust::new(&site.ca.0, site.not_before, Some(identity))?,
                    renew_after: Duration::from_secs(u64::from(renew_after_s.max(60))),
                    heartbeat: Duration::from_secs(u64::from(heartbeat_s.clamp(1, 300))),
                });
            }
            Asked::Wait { why, seconds } => (why, seconds),
        };
        if told != why {
            tracing::info!("waiting: {why}");
            told = why;
        }
        sleep(Duration::from_secs(u64::from(seconds.clamp(1, 300)))).await;
    }
}

enum Asked {
    Enrolled { id: HostId, chain: Vec<CertificateDer<'static>>, renew_after_s: u32, heartbeat_s: u32 },
    Wait { why: String, seconds: u32 },
}

async fn ask(host: &Host, trust: &Trust, tls_key: Option<&Key>) -> anyhow::Result<Asked> {
    let mut link = Link::connect(host.site.server, trust, Protocol::Http1, CONNECT_LIMIT).await?;
    let nic = link.local().and_then(|local| net::with_address(local.ip()));
    let hello = Hello {
        stage: Stage::Os,
        boot_id: host.boot_id,
        boot_mac: nic.map_or(Mac([0; 6]), |n| n.mac),
        inventory: inventory::take(host.prover.as_ref().map(Prover::tpm)),
        tpm: host.prover.as_ref().map(|p| p.claim().clone()),
    };
    let verdict = match attest::exchange(&mut link, &hello, host.prover.as_ref(), tls_key).await? {
        Answer::Judged(verdict, _) => *verdict,
        Answer::Wait { why, seconds } => return Ok(Asked::Wait { why, seconds }),
    };
    match verdict {
        Verdict::Enrolled { host, certificates, renew_after_s, heartbeat_s } => {
            let chain = certificates.into_iter().map(|c| CertificateDer::from(c.0)).collect();
            Ok(Asked::Enrolled { id: host, chain, renew_after_s, heartbeat_s })
        }
        Verdict::Wait { why, retry_after_s } | Verdict::Refused { why, retry_after_s } => {
            Ok(Asked::Wait { why, seconds: retry_after_s })
        }
        Verdict::Install { .. } | Verdict::Wipe { .. } | Verdict::BootDisk { .. } => {
            bail!("the provisioner answers as if this were the installer")
        }
    }
}
