//! Carries out a control plane's duties over the API server: looks, decides, acts, and remembers before it acts.

use std::collections::BTreeMap;

use cairn_contract::Timestamp;
use cairn_contract::workload::{KubeNode, NodeDesired};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::api::{Api, ApiError, public_kubeconfig};
use super::decide::{Act, Found, decide};
use super::{Memory, Use, drain, objects};
use crate::failure::Failure;
use crate::join;
use crate::secrets::{Token, Tokens};

const CSRS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const INFO: &str = "/api/v1/namespaces/kube-public/configmaps/cluster-info";
const NODES: &str = "/api/v1/nodes";

/// What a look at the control plane brings.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) nodes: Vec<KubeNode>,
    /// Something goes on that wants another look soon.
    pub(crate) busy: bool,
}

/// One control plane's.
pub(crate) struct Duties<'a> {
    pub(crate) api: Api,
    pub(crate) desired: &'a NodeDesired,
    pub(crate) tokens: &'a dyn Tokens,
    /// `ip:port` and CA (PEM) that newcomers are told.
    pub(crate) place: (String, String),
    /// Makes the memory durable.
    pub(crate) remember: &'a mut (dyn FnMut(&Memory) -> std::io::Result<()> + Send + Sync),
}

impl Duties<'_> {
    /// Looks once and does what is to be done.
    pub(crate) async fn pass(&mut self, memory: &mut Memory, now: Timestamp) -> Result<Seen, Failure> {
        let failed = |error: ApiError| Failure::of("ApiServer", &error);
        if !self.desired.bootstrap.is_empty() {
            for (path, object) in objects::admission() {
                self.api.apply(&path, &object).await.map_err(failed)?;
            }
        }
        let found = self.look().await.map_err(failed)?;
        memory.spent.retain(|id| self.desired.bootstrap.iter().any(|b| b.token_id == *id));
        memory.uses.retain(|id, _| self.desired.bootstrap.iter().any(|b| b.token_id == *id));
        let acts = decide(self.desired, &found, memory, now);
        let mut secrets = BTreeMap::new();
        let open = self.desired.bootstrap.iter().any(|b| !memory.spent.contains(&b.token_id));
        if open {
            secrets = self.tokens.ask(self.desired.cluster).await.map_err(|e| Failure::of("Tokens", &e))?;
        }
        for act in &acts {
            self.act(act, (memory, now), &secrets).await?;
        }
        self.publish(memory, &secrets).await.map_err(failed)?;
        let nodes = found.nodes.into_iter().map(|n| n.node).collect();
        Ok(Seen { nodes, busy: open || !self.desired.leaving.is_empty() })
    }

    async fn look(&self) -> Result<Found, ApiError> {
        let selector = objects::OURS.replace('=', "%3D");
        let tokens =
            self.list(&format!("/api/v1/namespaces/kube-system/secrets?labelSelector={selector}")).await?;
        let requests = self.list(CSRS).await?;
        let nodes = self.list(NODES).await?;
        Ok(Found {
            tokens: tokens.iter().filter_map(objects::token_of).collect(),
            requests: requests.iter().filter_map(objects::csr_of).collect(),
            nodes: nodes.iter().map(objects::node_of).collect(),
        })
    }

    async fn list(&self, path: &str) -> Result<Vec<Value>, ApiError> {
        let list = self.api.get(path).await?;
        let items = list.and_then(|mut list| list.get_mut("items").map(Value::take));
        Ok(items.and_then(|items| items.as_array().cloned()).unwrap_or_default())
    }

    async fn act(
        &mut self,
        act: &Act,
        (memory, now): (&mut Memory, Timestamp),
        secrets: &BTreeMap<String, Zeroizing<String>>,
    ) -> Result<(), Failure> {
        tracing::info!(?act, "control plane");
        let failed = |error: ApiError| Failure::of("ApiServer", &error);
        match act {
            Act::PutToken { id, expires } => {
                let Some(token) = secrets.get(id).and_then(|s| Token::new(id, s.clone())) else {
                    return Ok(());
                };
                let (path, object) = objects::token_secret(&token, *expires);
                self.api.apply(&path, &object).await.map(drop).map_err(failed)
            }
            Act::Spend(id) => {
                self.api.delete(&objects::token_path(id)).await.map_err(failed)?;
                memory.spent.insert(id.clone());
                self.durable(memory)
            }
            Act::DropToken(id) => self.api.delete(&objects::token_path(id)).await.map_err(failed),
            Act::Approve { csr, token } => {
                if let Some((id, key)) = token {
                    memory.uses.entry(id.clone()).or_insert(Use { key: *key, at: now });
                    self.durable(memory)?;
                }
                self.answer(csr, ("Approved", "asked for by the host that the token was made for"), now).await
            }
            Act::Deny { csr, why } => self.answer(csr, ("Denied", why), now).await,
            Act::Forget(csr) => self.api.delete(&format!("{CSRS}/{csr}")).await.map_err(failed),
            Act::Cordon(node) => set_unschedulable(&self.api, node, true).await.map_err(failed),
            Act::Uncordon(node) => set_unschedulable(&self.api, node, false).await.map_err(failed),
            Act::Drain(node) => self.drain(node, memory, now).await,
            Act::Drained(node) => {
                memory.draining.remove(node);
                self.durable(memory)
            }
        }
    }

    fn durable(&mut self, memory: &Memory) -> Result<(), Failure> {
        (self.remember)(memory).map_err(|e| Failure::of("StateNotWritten", &e))
    }

    async fn answer(&self, csr: &str, (kind, why): (&str, &str), now: Timestamp) -> Result<(), Failure> {
        let failed = |error: ApiError| Failure::of("ApiServer", &error);
        let path = format!("{CSRS}/{csr}");
        let Some(object) = self.api.get(&path).await.map_err(failed)? else { return Ok(()) };
        let answered = objects::answered(object, kind, why, now);
        self.api.replace(&format!("{path}/approval"), &answered).await.map(drop).map_err(failed)
    }

    /// Empties a node a little more; removes it when it is empty.
    async fn drain(&mut self, node: &str, memory: &mut Memory, now: Timestamp) -> Result<(), Failure> {
        let failed = |error: ApiError| Failure::of("ApiServer", &error);
        if !memory.draining.contains_key(node) {
            memory.draining.insert(node.to_owned(), now);
            self.durable(memory)?;
        }
        let since = memory.draining.get(node).copied().unwrap_or(now);
        set_unschedulable(&self.api, node, true).await.map_err(failed)?;
        let pods =
            self.list(&format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node}")).await.map_err(failed)?;
        let way = drain::way(since, now);
        let going = drain::to_go(&pods);
        for (namespace, name) in &going {
            drain::ask(&self.api, namespace, name, way).await.map_err(failed)?;
        }
        if going.is_empty() || way == drain::Way::Delete {
            self.api.delete(&format!("{NODES}/{node}")).await.map_err(failed)?;
        }
        Ok(())
    }

    /// Tells newcomers where the cluster is, signed with each open token.
    async fn publish(
        &self,
        memory: &Memory,
        secrets: &BTreeMap<String, Zeroizing<String>>,
    ) -> Result<(), ApiError> {
        if self.desired.bootstrap.is_empty() {
            return Ok(());
        }
        let (endpoint, ca) = &self.place;
        let present = self.api.get(INFO).await?;
        let told = present.as_ref().and_then(|p| p.pointer("/data/kubeconfig")?.as_str()).map(str::to_owned);
        // What the distribution published stays.
        let kubeconfig = told.unwrap_or_else(|| public_kubeconfig(endpoint, ca));
        let mut data = json!({ "kubeconfig": kubeconfig });
        for bootstrap in &self.desired.bootstrap {
            let id = &bootstrap.token_id;
            let token = secrets.get(id).and_then(|s| Token::new(id, s.clone()));
            let key = format!("jws-kubeconfig-{id}");
            data[key] = match token.filter(|_| !memory.spent.contains(id)) {
                Some(token) => json!(join::sign(&kubeconfig, &token)),
                None => Value::Null,
            };
        }
        let same = |key: &String, value: &Value| {
            present.as_ref().and_then(|p| p.get("data")?.get(key)).unwrap_or(&Value::Null) == value
        };
        if data.as_object().is_some_and(|all| all.iter().all(|(k, v)| same(k, v))) {
            return Ok(());
        }
        if present.is_some() {
            return self.api.merge(INFO, &json!({ "data": data })).await.map(drop);
        }
        let metadata = json!({ "name": "cluster-info", "namespace": "kube-public" });
        if let Some(all) = data.as_object_mut() {
            all.retain(|_, value| !value.is_null());
        }
        let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data });
        let path = INFO.trim_end_matches("/cluster-info");
        self.api.create(path, &object).await.map(drop)
    }
}

/// Cordons or uncordons a node.
pub(crate) async fn set_unschedulable(api: &Api, node: &str, wanted: bool) -> Result<(), ApiError> {
    let path = format!("{NODES}/{node}");
    let there = api.get(&path).await?;
    let is = there.as_ref().map(|n| objects::node_of(n).unschedulable);
    if is.is_none_or(|is| is == wanted) {
        return Ok(());
    }
    api.merge(&path, &json!({ "spec": { "unschedulable": wanted } })).await.map(drop)
}
