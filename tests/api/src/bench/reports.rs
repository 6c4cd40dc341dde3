//! Hosts that report: each over its own connection with its own certificate, as agents do, all at once and as fast as the
//! site takes it. Every report changes the host's record, and counts when the site has said that it is kept.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use cairn_contract::inventory::NicInfo;
use cairn_contract::{Digest, Heartbeat, HostId, Inventory, Mac, Smbios, Timestamp};
use cairn_domain::{Host, State};
use cairn_store::{Change, Clock as _, Store, SystemClock};
use cairn_trust::{SiteKeys, ca};
use http::{Method, StatusCode};
use rcgen::{KeyPair, PublicKeyData as _};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::task::JoinSet;

use super::Scale;
use super::figure::{Figure, Target, Times};
use crate::http::{Dialer, Http1};
use crate::site::Site;

/// As `cairn init` was told.
const SITE: &str = "api";
/// Connections from one address of the loopback; the server allows 256.
const OF_ONE_ADDRESS: usize = 200;
/// Hosts of one commit when they are made to run.
const BATCH: u32 = 500;
/// Longer than the run: no host falls silent.
const AN_HOUR: u32 = 3600;

/// Makes all hosts of the site run, as if each had been installed and had proven itself. The server must not run.
pub(crate) async fn enrol(site: &Site) -> Result<Vec<HostId>> {
    let store = Store::open(&site.data()).await.context("the store")?;
    let now = SystemClock.now();
    let (mut enrolled, mut after) = (Vec::new(), None);
    loop {
        let hosts = store.hosts(after.as_deref(), BATCH).await?;
        let Some(last) = hosts.last() else { break };
        after = Some(last.spec.name.clone());
        let running: Vec<Change> =
            hosts.into_iter().map(|host| Change::update(runs(host, now), now)).collect();
        enrolled.extend(running.iter().map(|change| change.host.id));
        for result in store.commit_many(&running).await {
            result.context("a host cannot be made to run")?;
        }
    }
    store.close().await;
    Ok(enrolled)
}

fn runs(host: Host, now: Timestamp) -> Host {
    let ek = Some(Digest::of(host.spec.name.as_bytes()));
    Host { state: State::Running { until: now.after_seconds(AN_HOUR) }, ek, changed: now, ..host }
}

/// Connected agents.
#[derive(Debug)]
pub(crate) struct Agents(Vec<Agent>);

#[derive(Debug)]
struct Agent {
    number: usize,
    connection: Http1,
}

/// What an agent sends over and over.
type Say = fn(usize, usize) -> (&'static str, serde_json::Result<Vec<u8>>);

impl Agents {
    /// Connects the first so many hosts.
    pub(crate) async fn connect(site: &Site, hosts: &[HostId], scale: &Scale) -> Result<Self> {
        let keys = SiteKeys::load(&site.data().join("keys")).context("the site's keys")?;
        let key = KeyPair::generate()?;
        let mut agents = Vec::new();
        for (number, host) in hosts.iter().take(scale.agents).enumerate() {
            let chain = ca::issue_host(
                &keys.site_ca,
                SITE,
                *host,
                &key.subject_public_key_info(),
                SystemClock.now(),
            )?;
            let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
            let leaf = chain.into_iter().next().context("an empty chain")?;
            let dialer = Dialer::of_host(site.address(), &site.ca(), (leaf, private))?;
            let last = u8::try_from(1 + number / OF_ONE_ADDRESS).context("too many agents")?;
            let connection = dialer.http1(Ipv4Addr::new(127, 0, 0, last)).await;
            agents.push(Agent { number, connection: connection.with_context(|| format!("agent {number}"))? });
        }
        Ok(Self(agents))
    }

    /// Inventories that are kept, and heartbeats, each for so many seconds.
    pub(crate) async fn measure(self, scale: &Scale) -> Result<Vec<Figure>> {
        let count = self.0.len();
        let (agents, kept, times) = self.all_say(inventory, scale.seconds).await?;
        let name = format!("status updates kept, {count} hosts for {} s", scale.seconds);
        let mut figures = vec![Figure::new(name, kept, "/s", Target::AtLeast(2000.0))];
        figures.extend(times.figures("  each of them", Target::None));
        let (_, heard, _) = agents.all_say(heartbeat, scale.seconds.div_ceil(2)).await?;
        figures.push(Figure::new("  heartbeats, of which one in 20 s is kept", heard, "/s", Target::None));
        Ok(figures)
    }

    /// Each says it again as soon as it is answered; gives the agents back, the answers a second and how long each took.
    async fn all_say(self, say: Say, seconds: u64) -> Result<(Self, f64, Times)> {
        let (since, length) = (Instant::now(), Duration::from_secs(seconds));
        let answered = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for mut agent in self.0 {
            let answered = Arc::clone(&answered);
            tasks.spawn(async move {
                let mut times = Vec::new();
                while since.elapsed() < length {
                    times.push(agent.say(say, times.len()).await?);
                    // What is answered too late does not count.
                    answered.fetch_add(usize::from(since.elapsed() < length), Ordering::Relaxed);
                }
                Ok::<_, anyhow::Error>((agent, times))
            });
        }
        let (mut agents, mut times) = (Vec::new(), Vec::new());
        while let Some(ended) = tasks.join_next().await {
            let (agent, took) = ended.context("an agent panicked")??;
            agents.push(agent);
            times.extend(took);
        }
        agents.sort_by_key(|agent| agent.number);
        #[expect(clippy::cast_precision_loss, reason = "reports of seconds")]
        let rate = answered.load(Ordering::Relaxed) as f64 / length.as_secs_f64();
        Ok((Self(agents), rate, Times::new(times)))
    }
}

impl Agent {
    async fn say(&mut self, say: Say, turn: usize) -> Result<Duration> {
        let (path, body) = say(self.number, turn);
        let body = Bytes::from(body?);
        let since = Instant::now();
        let (status, answer) = self.connection.send(Method::POST, path, body).await?;
        let took = since.elapsed();
        let well = matches!(status, StatusCode::OK | StatusCode::NO_CONTENT);
        ensure!(well, "agent {}: {path}: {status}: {}", self.number, String::from_utf8_lossy(&answer));
        Ok(took)
    }
}

/// What the host is made of, each time a little different.
fn inventory(number: usize, turn: usize) -> (&'static str, serde_json::Result<Vec<u8>>) {
    let bytes = u32::try_from(number).unwrap_or(0).to_be_bytes();
    let nic = NicInfo {
        name: "eth0".into(),
        mac: Mac([2, 0, bytes[0], bytes[1], bytes[2], bytes[3]]),
        driver: "virtio_net".into(),
        speed_mbps: Some(1000),
        carrier: true,
    };
    let inventory = Inventory {
        smbios: Smbios { vendor: "ACME".into(), product: "Till 4".into(), ..Smbios::default() },
        cpu_model: "Bench".into(),
        cpu_count: 4,
        memory: (8 << 30) + u64::try_from(turn).unwrap_or(0),
        nics: vec![nic],
        kernel: "6.1.0".into(),
        firmware: "uefi".into(),
        ..Inventory::default()
    };
    ("/host/v1/inventory", serde_json::to_vec(&inventory))
}

fn heartbeat(_: usize, turn: usize) -> (&'static str, serde_json::Result<Vec<u8>>) {
    let beat = Heartbeat {
        boot_id: uuid::Uuid::nil(),
        uptime_s: u64::try_from(turn).unwrap_or(0),
        slot: "a".into(),
        agent_rss: 8 << 20,
        agent_version: "bench".into(),
    };
    ("/host/v1/heartbeat", serde_json::to_vec(&beat))
}
