//! One host's node: passes over what is ordered until it is so, and says how far it is. `cairn-agent` runs it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cairn_contract::workload::{NodeDesired, NodeObserved, NodeRole, Phase};
use cairn_runtime::probe;
use cairn_runtime::units::Units;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::control::api::Api;
use crate::control::{Duties, Seen};
use crate::execute::Executor;
use crate::failure::Failure;
use crate::found::NodeFound;
use crate::join::pin_of;
use crate::leave::leave;
use crate::order::{Order, wants_token};
use crate::place::Blobs;
use crate::plan::{State, Step, plan};
use crate::secrets::{Token, Tokens};
use crate::words::{Facts, Words, own_endpoint};

/// A node that is well is looked at this often.
const CALM: Duration = Duration::from_secs(15);
/// A control plane that waits for newcomers, or empties a node, is looked at this often.
const BUSY: Duration = Duration::from_secs(1);
/// Longest pause after a failure.
const LONGEST: Duration = Duration::from_secs(60);
/// Seconds for which somebody else's absence is no failure of this node.
const OTHERS_S: u32 = 600;
/// What ends by itself when others do their part.
const OTHERS: [&str; 6] =
    ["EndpointUnreachable", "DiscoveryAbsent", "TokenUnknown", "Tokens", "FetchFailed", "DiscoveryChanged"];

/// Where it keeps its things, and what the machine is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Outlives a reboot: `node.json`, programs, state.
    pub folder: PathBuf,
    /// Of this machine.
    pub facts: Facts,
}

/// It cannot begin.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {}", path.display())]
pub struct OpenError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// This host's node.
pub struct Node {
    settings: Settings,
    blobs: Arc<dyn Blobs>,
    units: Arc<dyn Units>,
    tokens: Arc<dyn Tokens>,
    state: State,
    /// Failed passes in a row.
    failures: u32,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.settings.folder.display())
    }
}

impl Node {
    /// With what an earlier agent left in the folder.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(
        settings: Settings,
        blobs: Arc<dyn Blobs>,
        units: Arc<dyn Units>,
        tokens: Arc<dyn Tokens>,
    ) -> Result<Self, OpenError> {
        let path = settings.folder.clone();
        let failed = |source| OpenError { path: path.clone(), source };
        fs::create_dir_all(&path).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        let state = State::load(&path);
        Ok(Self { settings, blobs, units, tokens, state, failures: 0 })
    }

    /// Follows `desired` until it is stopped; `None` means that this host is to be no node. What is under way is given up when
    /// another cluster, role or name is ordered.
    pub async fn run(
        mut self,
        mut desired: watch::Receiver<Option<NodeDesired>>,
        observed: watch::Sender<Option<NodeObserved>>,
        stop: CancellationToken,
    ) {
        loop {
            let wanted = desired.borrow_and_update().clone();
            let mut later = desired.clone();
            let pause = tokio::select! {
                pause = self.pass(wanted.as_ref(), &observed) => pause,
                () = superseded(&mut later, wanted.as_ref()) => continue,
                () = stop.cancelled() => return,
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                changed = desired.changed() => if changed.is_err() { return },
                () = stop.cancelled() => return,
            }
        }
    }

    /// One pass; how long the next may wait.
    pub async fn pass(
        &mut self,
        desired: Option<&NodeDesired>,
        observed: &watch::Sender<Option<NodeObserved>>,
    ) -> Duration {
        if let Some(old) = self.state.desired.clone()
            && (self.state.leaving || !same_node(Some(&old), desired))
        {
            let gone = self.leave(&old, observed).await;
            if let Err(failure) = gone {
                observed.send_replace(Some(told(&old, Phase::Removing, &failure)));
                return self.backoff();
            }
        }
        let Some(desired) = desired else {
            observed.send_replace(None);
            self.failures = 0;
            return CALM;
        };
        match self.advance(desired, observed).await {
            Ok((said, pause)) => {
                self.failures = 0;
                observed.send_replace(Some(said));
                pause
            }
            Err(failure) => {
                tracing::warn!(%failure, "node");
                let phase = self.phase_of(&failure);
                observed.send_replace(Some(self.placed_where(told(desired, phase, &failure))));
                self.backoff()
            }
        }
    }

    fn backoff(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let seconds = 1u64.checked_shl(self.failures.min(6)).unwrap_or(64);
        Duration::from_secs(seconds).min(LONGEST)
    }

    fn phase_of(&mut self, failure: &Failure) -> Phase {
        if self.state.joined {
            return Phase::Degraded;
        }
        let now = clock::now();
        let since = *self.state.waiting_since.get_or_insert(now);
        let others = OTHERS.contains(&failure.reason) && now < since.after_seconds(OTHERS_S);
        if others { Phase::Progressing } else { Phase::Failed }
    }

    async fn leave(
        &mut self,
        old: &NodeDesired,
        observed: &watch::Sender<Option<NodeObserved>>,
    ) -> Result<(), Failure> {
        let folder = self.settings.folder.clone();
        self.state.leaving = true;
        self.state.save(&folder).map_err(|e| Failure::of("StateNotWritten", &e))?;
        let leaving = Failure::new("Leaving", "the node is taken off this host");
        observed.send_replace(Some(told(old, Phase::Removing, &leaving)));
        let words = Words::of(old, &self.settings.facts, &folder);
        leave(old, &words.clone().with_void_token(), &self.state, &*self.units, &folder).await?;
        State::remove(&folder).map_err(|e| Failure::of("StateNotWritten", &e))?;
        self.state = State::default();
        Ok(())
    }

    /// Does what is left to do, then looks after what is there.
    async fn advance(
        &mut self,
        desired: &NodeDesired,
        observed: &watch::Sender<Option<NodeObserved>>,
    ) -> Result<(NodeObserved, Duration), Failure> {
        if self.state.desired.as_ref() != Some(desired) {
            self.state.desired = Some(desired.clone());
            self.save()?;
        }
        let bare = Words::of(desired, &self.settings.facts, &self.settings.folder);
        let token = self.token(desired).await?;
        let words = token.as_ref().map_or_else(|| bare.clone().with_void_token(), |t| bare.with_token(t));
        let order = Order::of(desired, &words).map_err(|e| Failure::of("BadDistribution", &e))?;
        let names = self.kept(&order).await?;
        let steps = plan(desired, &order, &NodeFound::look(&order, &self.state, names));
        let settings = self.settings.clone();
        for step in &steps {
            let doing = Failure::new("Progressing", describe(step));
            observed.send_replace(Some(self.placed_where(told(desired, Phase::Progressing, &doing))));
            tracing::info!(step = describe(step), "node");
            let mut executor = Executor {
                folder: &settings.folder,
                desired,
                words: &words,
                order: &order,
                token: token.as_ref(),
                blobs: &*self.blobs,
                units: &*self.units,
                state: &mut self.state,
            };
            executor.step(step).await?;
        }
        if steps.contains(&Step::Joined) {
            // What held the token goes at once.
            return Box::pin(self.advance(desired, observed)).await;
        }
        if order.stages.is_empty() {
            let waits = Failure::new("WaitingForControlPlane", "there is no control plane to join yet");
            return Ok((told(desired, Phase::Waiting, &waits), CALM));
        }
        self.tend(desired, &order).await
    }

    /// Units that the supervisor keeps. After a restart of the agent it keeps none until they are ordered again.
    async fn kept(&self, order: &Order) -> Result<BTreeSet<String>, Failure> {
        let mut names = BTreeSet::new();
        for unit in order.units() {
            let status = self.units.status(&unit.name).await.map_err(|e| Failure::of("UnitFailed", &e))?;
            names.extend(status.map(|_| unit.name.clone()));
        }
        Ok(names)
    }

    /// The token to join with; none when this node does not need one any more.
    async fn token(&self, desired: &NodeDesired) -> Result<Option<Token>, Failure> {
        let NodeRole::Worker(Some(join)) = &desired.role else { return Ok(None) };
        if self.state.joined || !wants_token(desired) {
            return Ok(None);
        }
        let all = self.tokens.ask(desired.cluster).await.map_err(|e| Failure::of("Tokens", &e))?;
        let found = all.get(&join.token_id).and_then(|secret| Token::new(&join.token_id, secret.clone()));
        let absent = || {
            Failure::new("Tokens", format!("the provisioner has no token {} for this host", join.token_id))
        };
        found.ok_or_else(absent).map(Some)
    }

    async fn tend(
        &mut self,
        desired: &NodeDesired,
        order: &Order,
    ) -> Result<(NodeObserved, Duration), Failure> {
        for wanted in order.health() {
            let failed = |e: probe::ProbeError| Failure::new("NotHealthy", format!("{}: {e}", wanted.name));
            probe::check(&wanted.condition).await.map_err(failed)?;
        }
        let well = Failure::new("Ready", "the node is healthy");
        let mut said = self.placed_where(told(desired, Phase::Ready, &well));
        if desired.role != NodeRole::ControlPlane {
            self.cordon_itself(desired).await?;
            return Ok((said, CALM));
        }
        let seen = self.duties(desired).await?;
        said.nodes = seen.nodes;
        let spent = &self.state.memory.spent;
        said.spent_tokens =
            desired.bootstrap.iter().map(|b| &b.token_id).filter(|id| spent.contains(*id)).cloned().collect();
        Ok((said, if seen.busy { BUSY } else { CALM }))
    }

    async fn duties(&mut self, desired: &NodeDesired) -> Result<Seen, Failure> {
        let words = Words::of(desired, &self.settings.facts, &self.settings.folder);
        let fill = |text: &str| words.fill(text).map_err(|e| Failure::of("BadDistribution", &e));
        let kubeconfig = fill(&desired.distribution.admin_kubeconfig)?;
        let ca = fs::read_to_string(fill(&desired.distribution.ca_certificate)?);
        let ca = ca.map_err(|e| Failure::of("CaUnreadable", &e))?;
        let api = Api::open(Path::new(&kubeconfig)).await.map_err(|e| Failure::of("ApiServer", &e))?;
        let mut memory = self.state.memory.clone();
        let (folder, mut state) = (self.settings.folder.clone(), self.state.clone());
        let mut remember = |memory: &crate::control::Memory| {
            state.memory = memory.clone();
            state.save(&folder)
        };
        let place = (own_endpoint(desired, self.settings.facts.node_ip), ca);
        let mut duties = Duties { api, desired, tokens: &*self.tokens, place, remember: &mut remember };
        let seen = duties.pass(&mut memory, clock::now()).await;
        self.state.memory = memory;
        seen
    }

    /// A kubelet may change its own node.
    async fn cordon_itself(&self, desired: &NodeDesired) -> Result<(), Failure> {
        let path = &desired.distribution.node_kubeconfig;
        if path.is_empty() {
            return Ok(());
        }
        let words = Words::of(desired, &self.settings.facts, &self.settings.folder);
        let path = words.fill(path).map_err(|e| Failure::of("BadDistribution", &e))?;
        let failed = |e: crate::control::api::ApiError| Failure::of("ApiServer", &e);
        let api = Api::open(Path::new(&path)).await.map_err(failed)?;
        crate::control::set_unschedulable(&api, &desired.node_name, desired.cordoned).await.map_err(failed)
    }

    fn save(&self) -> Result<(), Failure> {
        self.state.save(&self.settings.folder).map_err(|e| Failure::of("StateNotWritten", &e))
    }

    /// With endpoint and pin, if this is a control plane that has its CA.
    fn placed_where(&self, mut said: NodeObserved) -> NodeObserved {
        let Some(desired) = self.state.desired.as_ref().filter(|d| d.role == NodeRole::ControlPlane) else {
            return said;
        };
        let words = Words::of(desired, &self.settings.facts, &self.settings.folder);
        let path = words.fill(&desired.distribution.ca_certificate).unwrap_or_default();
        said.ca_pin = fs::read_to_string(path).ok().and_then(|ca| pin_of(&ca));
        said.endpoint = self.state.joined.then(|| own_endpoint(desired, self.settings.facts.node_ip));
        said
    }
}

/// Returns when what is ordered is another node than `wanted`.
async fn superseded(desired: &mut watch::Receiver<Option<NodeDesired>>, wanted: Option<&NodeDesired>) {
    loop {
        if desired.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        if !same_node(desired.borrow_and_update().as_ref(), wanted) {
            return;
        }
    }
}

/// Whether both are the same node of the same cluster: else the one leaves before the other comes.
fn same_node(a: Option<&NodeDesired>, b: Option<&NodeDesired>) -> bool {
    let key = |d: &NodeDesired| (d.cluster, d.node_name.clone(), d.role == NodeRole::ControlPlane);
    a.map(key) == b.map(key)
}

fn told(desired: &NodeDesired, phase: Phase, why: &Failure) -> NodeObserved {
    NodeObserved {
        cluster: desired.cluster,
        phase,
        reason: why.reason.to_owned(),
        message: why.message.clone(),
        endpoint: None,
        ca_pin: None,
        nodes: Vec::new(),
        spent_tokens: Vec::new(),
    }
}

/// For people.
fn describe(step: &Step) -> String {
    match step {
        Step::Place(artifact) => format!("placing {}", artifact.name),
        Step::Discover => "checking the cluster's identity".into(),
        Step::Write(file) => format!("writing {}", file.path),
        Step::Unwrite(path) => format!("removing {path}"),
        Step::Run(once) => {
            let words: Vec<&str> = once.command.run.iter().take(5).map(String::as_str).collect();
            if once.holds_token {
                format!("running {}", words.first().unwrap_or(&""))
            } else {
                format!("running {}", words.join(" "))
            }
        }
        Step::Start { unit, .. } => format!("starting {}", unit.name),
        Step::Stop(name) => format!("stopping {name}"),
        Step::Await(probe) => format!("waiting for {}", probe.name),
        Step::Joined => "the node is there".into(),
    }
}
