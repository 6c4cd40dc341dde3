//! `POST /host/v1/secrets`: values for a proven, running host, of its present orders only. Each release is in the audit log, and
//! each refusal (one a minute of a host: it must not fill the log).

use std::collections::{BTreeMap, HashMap, HashSet};

use cairn_contract::{
    Digest, HostId, Timestamp,
    workload::{NodeDesired, NodeRole, Secrets, SecretsAsk},
};
use cairn_domain::{
    Host,
    audit::{Actor, Deed, Outcome},
    model::{Kind, Namespace, Uid},
};
use cairn_store::{AssignedKind, TokenView};
use cairn_workload::SecretAt;

use super::{Desk, DeskError, desired};

/// Seconds between two audit rows of one host's refusals.
const REFUSAL_S: u32 = 60;
/// Hosts whose refusals are remembered.
const MOST: usize = 4096;

/// The same words whether there is no such order, another revision, or another host's.
const NOT_ITS: DeskError = DeskError::Forbidden("its orders name no such secrets");

/// When a refusal of each host was noted last.
#[derive(Debug, Default)]
pub(super) struct Refusals(HashMap<HostId, Timestamp>);

impl Desk {
    /// What the host needs now.
    pub async fn secrets(&self, host: HostId, ask: &SecretsAsk) -> Result<Secrets, DeskError> {
        let found = self.admit_now(host).await?;
        let released = match ask {
            SecretsAsk::Release { deployment, revision } => {
                self.of_release(host, Uid(*deployment), *revision).await
            }
            SecretsAsk::Bootstrap { cluster } => self.of_cluster(host, Uid(*cluster)).await,
        };
        match released {
            Ok((secrets, names)) => {
                if !names.is_empty() {
                    let reason = format!("released {}", names.join(", "));
                    self.audit(&found, ask, (Outcome::Done, reason)).await?;
                }
                Ok(secrets)
            }
            Err(error @ DeskError::Forbidden(why)) => {
                if self.is_due(host) {
                    self.audit(&found, ask, (Outcome::Refused, why.to_owned())).await?;
                }
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn of_release(
        &self,
        host: HostId,
        subject: Uid,
        revision: Digest,
    ) -> Result<(Secrets, Vec<String>), DeskError> {
        let orders = self.store.orders_of(host).await?;
        let has = orders.iter().any(|order| {
            let is_it = order.subject == subject && order.kind == AssignedKind::Deployment;
            is_it && order.revision == revision && order.body.is_some()
        });
        if !has {
            return Err(NOT_ITS);
        }
        let rows = desired::rows(host, &orders);
        let (wanted, names) = {
            let index = self.catalog.index();
            let wanted = cairn_workload::secrets(&index, host.into(), &rows, subject);
            let name = |at: &SecretAt| {
                let secret = index.get(at.secret).map(|o| o.full_name()).unwrap_or_default();
                format!("{}/{}", secret, at.key)
            };
            let names: HashSet<String> = wanted.values().map(name).collect();
            (wanted, names)
        };
        let values = self.values(wanted).await?;
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort_unstable();
        Ok((Secrets { values }, names))
    }

    async fn values(
        &self,
        wanted: BTreeMap<String, SecretAt>,
    ) -> Result<BTreeMap<String, String>, DeskError> {
        let mut values = BTreeMap::new();
        for (placeholder, SecretAt { secret, key }) in wanted {
            let value = self.store.secret_value(secret, &key).await?.ok_or_else(|| {
                DeskError::Absent(format!(
                    "a secret has no value for the key {key}: set it with `cairn secret set`"
                ))
            })?;
            values.insert(placeholder, value.expose().to_owned());
        }
        Ok(values)
    }

    async fn of_cluster(&self, host: HostId, cluster: Uid) -> Result<(Secrets, Vec<String>), DeskError> {
        let order = self.node_order(host, cluster).await?.ok_or(NOT_ITS)?;
        let (view, allowed): (TokenView, HashSet<String>) = match &order.role {
            NodeRole::ControlPlane => {
                (TokenView::All, order.bootstrap.iter().map(|b| b.token_id.clone()).collect())
            }
            NodeRole::Worker(join) => {
                (TokenView::Own(host), join.iter().map(|join| join.token_id.clone()).collect())
            }
        };
        let good = self.store.token_secrets(cluster, view, self.now()).await?;
        let good = good.into_iter().filter(|(id, _)| allowed.contains(id));
        let values: BTreeMap<String, String> =
            good.map(|(id, secret)| (id, secret.expose().to_owned())).collect();
        let names = values.keys().map(|id| format!("bootstrap token {id}")).collect();
        Ok((Secrets { values }, names))
    }

    /// What the host is told of its part of a cluster.
    pub(super) async fn node_order(
        &self,
        host: HostId,
        cluster: Uid,
    ) -> Result<Option<NodeDesired>, DeskError> {
        let order = self.store.order_to(host, cluster).await?;
        let order = order.filter(|order| order.kind == AssignedKind::Cluster);
        Ok(order.and_then(|order| serde_json::from_str(&order.body?).ok()))
    }

    fn is_due(&self, host: HostId) -> bool {
        let now = self.now();
        let mut refusals = self.refusals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let all = &mut refusals.0;
        if all.len() >= MOST {
            all.retain(|_, at| now < at.after_seconds(REFUSAL_S));
        }
        let due = all.get(&host).is_none_or(|at| now >= at.after_seconds(REFUSAL_S)) && all.len() < MOST;
        if due {
            all.insert(host, now);
        }
        due
    }

    async fn audit(
        &self,
        host: &Host,
        ask: &SecretsAsk,
        (outcome, reason): (Outcome, String),
    ) -> Result<(), DeskError> {
        let (kind, uid) = match ask {
            SecretsAsk::Release { deployment, .. } => (Kind::Deployment, Uid(*deployment)),
            SecretsAsk::Bootstrap { cluster } => (Kind::Cluster, Uid(*cluster)),
        };
        let (name, namespace) = {
            let index = self.catalog.index();
            let known = index.get(uid).map(|o| (o.metadata.name.clone(), o.metadata.namespace.clone()));
            known.unwrap_or_else(|| (uid.to_string(), namespace_of(host)))
        };
        let deed = Deed {
            actor: Actor::system(format!("host {}.{}", host.spec.name, host.meta.project)),
            verb: "release".to_owned(),
            kind: Some(kind),
            uid: Some(uid),
            namespace,
            name,
            outcome,
            reason,
            before: None,
            after: None,
        };
        Ok(self.store.audit(self.now(), &[deed]).await?)
    }
}

fn namespace_of(host: &Host) -> Namespace {
    host.meta.project.clone()
}
