//! One round: plan, and write what follows.

use cairn_contract::workload::Registry;
use cairn_domain::{
    State,
    audit::Actor,
    model::{ClusterSpec, Kind, Labels, Metadata, Object, Spec, Uid},
};
use cairn_store::{
    AssignedKind, Batch, BatchError, BootstrapToken, OrderWrite, ResourceWrite, SecretText, Trail,
};
use cairn_workload::{Order, Plan, WantedCluster, WantedToken, World};
use uuid::Uuid;

use super::{Ledger, Orchestrator, RoundError, ledger, renders::Renders};

/// Seconds that a bootstrap token is good for.
const TOKEN_S: u32 = 600;
/// Milliseconds after which a token that ran out is forgotten.
const TOKEN_KEPT: i64 = 3_600_000;
/// Orders of one transaction.
const ORDERS: usize = 1000;
/// Statuses of one transaction.
const STATUSES: usize = 256;

impl Orchestrator {
    /// `true`: what it wrote must be planned with at once.
    pub(super) async fn round(&self, ledger: &mut Ledger, renders: &mut Renders) -> Result<bool, RoundError> {
        let mut again = self.clear(ledger).await?;
        renders.forgive();
        let plan = tokio::task::block_in_place(|| self.plan(ledger, renders));
        let Plan { orders, statuses, renders: wanted, tokens, clusters } = plan;
        renders.want(wanted);
        again |= self.order(ledger, orders).await?;
        self.say(statuses).await?;
        if !tokens.is_empty() {
            self.make_tokens(tokens).await?;
            ledger.tokens = ledger::tokens(&self.store).await?;
            again = true;
        }
        self.make_clusters(clusters).await?;
        Ok(again)
    }

    fn plan(&self, ledger: &Ledger, renders: &Renders) -> Plan {
        let registry: Option<&Registry> = self.registry.as_ref();
        let index = self.catalog.index();
        cairn_workload::plan(&World {
            index: &index,
            assignments: &ledger.rows,
            rendered: &renders.done,
            tokens: &ledger.tokens,
            registry,
            now: self.now(),
        })
    }

    /// Rows of which nothing is left, and of hosts that begin anew. Whether hosts said something meanwhile.
    async fn clear(&self, ledger: &mut Ledger) -> Result<bool, RoundError> {
        let writes: Vec<OrderWrite> = {
            let index = self.catalog.index();
            ledger.forget_hosts(|host| index.get(host).is_some());
            let anew = |host: Uid| {
                let host = index.get(host).and_then(|object| object.host.as_deref());
                host.is_some_and(|host| is_written_anew(&host.state))
            };
            let gone = ledger.gone.iter().map(|(host, subject)| forget(*host, *subject));
            let fresh = ledger.rows.iter().filter(|row| anew(row.host));
            let fresh = fresh.filter_map(|row| match (&row.body, &row.observed) {
                (None, _) => Some(forget(row.host, row.subject)),
                (Some(_), Some(_)) => Some(OrderWrite::Void { host: row.host.into(), subject: row.subject }),
                (Some(_), None) => None,
            });
            gone.chain(fresh).collect()
        };
        for writes in writes.chunks(ORDERS) {
            self.store.write_orders(writes, self.now()).await?;
            for write in writes {
                if let OrderWrite::Forget { host, subject } = write {
                    ledger.forget((Uid::from(*host), *subject));
                }
            }
        }
        Ok(!writes.is_empty() && self.pull(ledger).await?)
    }

    /// Whether hosts said something meanwhile.
    async fn order(&self, ledger: &mut Ledger, orders: Vec<Order>) -> Result<bool, RoundError> {
        if orders.is_empty() {
            return Ok(false);
        }
        let lines = self.told(&orders, ledger);
        let writes: Vec<OrderWrite> = orders.into_iter().map(write).collect();
        for writes in writes.chunks(ORDERS) {
            self.store.write_orders(writes, self.now()).await?;
        }
        self.write_lines(lines).await;
        // So that the next plan knows of them.
        self.pull(ledger).await
    }

    async fn say(&self, statuses: Vec<(Uid, serde_json::Value)>) -> Result<(), RoundError> {
        let write = |(uid, status): &(Uid, serde_json::Value)| ResourceWrite::Status {
            uid: *uid,
            status: status.clone().into(),
        };
        for part in statuses.chunks(STATUSES) {
            let all = self.batch(part.iter().map(write).collect());
            match self.catalog.write(&all).await {
                Ok(_) => continue,
                Err(BatchError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            // One of them was deleted meanwhile: the others are told all the same.
            for one in part {
                match self.catalog.write(&self.batch(vec![write(one)])).await {
                    Ok(_) | Err(BatchError::NotFound { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    async fn make_tokens(&self, tokens: Vec<WantedToken>) -> Result<(), RoundError> {
        if tokens.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let old = cairn_contract::Timestamp(now.0.saturating_sub(TOKEN_KEPT));
        self.store.forget_tokens(old).await?;
        for WantedToken { cluster, host, node } in tokens {
            let (id, secret) = draw();
            let expires = now.after_seconds(TOKEN_S);
            let token = BootstrapToken { id, cluster, host: host.into(), node, expires, spent: None };
            self.store.make_token(&token, &secret).await?;
        }
        Ok(())
    }

    /// Each by itself: one whose name is taken must not keep the others back.
    async fn make_clusters(&self, clusters: Vec<WantedCluster>) -> Result<(), RoundError> {
        for WantedCluster { name, namespace, hosts, template } in clusters {
            let spec = ClusterSpec { template, hosts, ..ClusterSpec::default() };
            let metadata = Metadata {
                name,
                namespace,
                uid: Uid(Uuid::new_v4()),
                labels: Labels::new(),
                annotations: Labels::new(),
                generation: 0,
                resource_version: 0,
                created: self.now(),
            };
            let object = Object { metadata, spec: Spec::Cluster(spec.into()), host: None, status: None };
            let named = object.full_name();
            match self.catalog.write(&self.batch(vec![ResourceWrite::Create(object)])).await {
                Ok(_) => tracing::info!(cluster = named, "a policy asks for this cluster: it is made"),
                Err(BatchError::NameTaken { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn batch(&self, writes: Vec<ResourceWrite>) -> Batch {
        let actor = Actor::system("the planner of clusters and deployments");
        let (at, trail) = (self.now(), Trail::default());
        Batch { actor, at, premise: None, writes, credentials: Vec::new(), trail }
    }
}

/// What it ran is gone with its disk.
fn is_written_anew(state: &State) -> bool {
    matches!(
        state,
        State::Installing { .. } | State::FirstBoot { .. } | State::Wiping { .. } | State::Retired { .. }
    )
}

fn forget(host: Uid, subject: Uid) -> OrderWrite {
    OrderWrite::Forget { host: host.into(), subject }
}

fn write(order: Order) -> OrderWrite {
    match order {
        Order::Put { host, subject, kind, revision, body } => {
            let kind = if kind == Kind::Cluster { AssignedKind::Cluster } else { AssignedKind::Deployment };
            OrderWrite::Put { host: host.into(), subject, kind, revision, body: body.json() }
        }
        Order::Remove { host, subject } => OrderWrite::Remove { host: host.into(), subject },
    }
}

/// Id and secret half of a token: 6 and 16 characters of a-z0-9, each as likely as the others.
fn draw() -> (String, SecretText) {
    let mut letters = std::iter::repeat_with(random).flatten().filter_map(letter);
    let id: String = letters.by_ref().take(6).collect();
    let secret: String = letters.take(16).collect();
    (id, secret.into())
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the kernel's random source is always there on Linux");
    bytes
}

/// A random byte to a letter; those beyond 252 = 7 x 36 are left out.
fn letter(byte: u8) -> Option<char> {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let at = (byte < 252).then_some(usize::from(byte % 36))?;
    LETTERS.get(at).copied().map(char::from)
}
