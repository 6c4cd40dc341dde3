//! Many who watch: how long after a change was sent each of them has seen it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Scale;
use super::figure::{Figure, Target, Times};
use super::fleet::{self, PROJECT};
use crate::http::{Dialer, Http2};

/// Streams of one connection; the server allows 64.
const OF_ONE_CONNECTION: usize = 50;
const ROUNDS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(30);
/// The label that changes, as it stands in an event.
const LABEL: &str = "beat";
/// Longest mark: what is kept of one frame to find it across two.
const KEPT: usize = 64;

/// Who saw which round, and when.
type Sighting = (usize, Instant);

/// Watchers that are connected; they end on drop.
#[derive(Debug)]
pub(crate) struct Watchers {
    seen: mpsc::Receiver<Sighting>,
    count: usize,
    _connections: Vec<Http2>,
    _tasks: JoinSet<()>,
}

impl Watchers {
    /// Connects them; each watches all hosts.
    pub(crate) async fn connect(dialer: &Dialer, scale: &Scale) -> Result<Self> {
        let mut client = dialer.http1(Ipv4Addr::LOCALHOST).await?;
        let list = client.json(&format!("/api/v1/hosts?namespace={PROJECT}&limit=1")).await?;
        let version =
            list.pointer("/metadata/resourceVersion").and_then(|v| v.as_str()).context("no version")?;
        let path = format!("/api/v1/watch?kinds=hosts&namespace={PROJECT}&resourceVersion={version}");
        let (tell, seen) = mpsc::channel(scale.watchers * 2);
        let (mut connections, mut tasks) = (Vec::new(), JoinSet::new());
        for first in (0..scale.watchers).step_by(OF_ONE_CONNECTION) {
            let mut connection = dialer.http2(Ipv4Addr::LOCALHOST).await?;
            for number in first..scale.watchers.min(first + OF_ONE_CONNECTION) {
                let stream = connection.stream(&path).await;
                let stream = stream.with_context(|| format!("watcher {number} of {}", scale.watchers))?;
                tasks.spawn(watch(stream.into_body(), tell.clone()));
            }
            connections.push(connection);
        }
        Ok(Self { seen, count: scale.watchers, _connections: connections, _tasks: tasks })
    }

    /// Changes a host some times; each watcher's delay counts.
    pub(crate) async fn measure(&mut self, dialer: &Dialer, scale: &Scale) -> Result<Vec<Figure>> {
        let mut client = dialer.http1(Ipv4Addr::LOCALHOST).await?;
        let mut delays = Vec::new();
        for round in 0..ROUNDS {
            let host = fleet::host_with(round, scale, (LABEL, &format!("r{round}")));
            let since = Instant::now();
            fleet::apply(&mut client, &[host]).await?;
            let mut missing = self.count;
            while missing > 0 {
                let left = PATIENCE.saturating_sub(since.elapsed());
                let Ok(sighting) = tokio::time::timeout(left, self.seen.recv()).await else {
                    bail!("{missing} of {} watchers do not see a change", self.count);
                };
                let (seen, at) = sighting.context("all watchers are gone")?;
                if seen == round {
                    delays.push(at.saturating_duration_since(since));
                    missing -= 1;
                }
            }
        }
        ensure!(delays.len() == self.count * ROUNDS, "a watcher saw a change twice");
        let name = format!("a change is seen by each of {} watchers", self.count);
        Ok(Times::new(delays).figures(&name, Target::Below(500.0)).to_vec())
    }
}

/// Tells of each round whose mark comes; ends with the stream.
async fn watch(mut body: Incoming, tell: mpsc::Sender<Sighting>) {
    let marks: Arc<[(usize, String)]> = (0..ROUNDS).map(|r| (r, format!("\"{LABEL}\":\"r{r}\""))).collect();
    let mut next = 0;
    let mut tail: Vec<u8> = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        let at = Instant::now();
        let Ok(data) = frame.into_data() else { continue };
        tail.extend_from_slice(&data);
        while let Some((round, mark)) = marks.get(next) {
            if !holds(&tail, mark.as_bytes()) {
                break;
            }
            next += 1;
            if tell.send((*round, at)).await.is_err() {
                return;
            }
        }
        tail.drain(..tail.len().saturating_sub(KEPT));
    }
}

fn holds(text: &[u8], mark: &[u8]) -> bool {
    text.windows(mark.len()).any(|window| window == mark)
}
