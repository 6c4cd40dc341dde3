//! Decides what a control plane does about tokens, requests for certificates and leaving nodes. Pure.

use std::collections::{BTreeMap, BTreeSet};

use cairn_contract::workload::{Bootstrap, KubeNode, NodeDesired};
use cairn_contract::{Digest, Timestamp};

use super::Memory;
use super::csr::{Request, RequestError};

/// The signer of kubelets' client certificates.
pub const SIGNER: &str = "kubernetes.io/kube-apiserver-client-kubelet";
/// After its use a token stays this long at most, in seconds: until the node is there its kubelet may ask again.
const AFTER_USE_S: u32 = 600;
/// A denied request stays this long, in seconds: the node reads why, and may then ask with another token.
const DENIED_S: u32 = 30;
const USAGES: [&str; 3] = ["digital signature", "key encipherment", "client auth"];

/// What the API server has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// Tokens that we made, with their age.
    pub tokens: BTreeMap<String, Timestamp>,
    /// Requests to [`SIGNER`].
    pub requests: Vec<Csr>,
    /// Nodes.
    pub nodes: Vec<Node>,
}

/// A node, and when it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// As it is reported.
    pub node: KubeNode,
    /// When its object was made.
    pub created: Timestamp,
    /// No new pods come there.
    pub unschedulable: bool,
}

/// A request for a certificate.
#[derive(Debug, Clone, PartialEq)]
pub struct Csr {
    /// Name of the object.
    pub name: String,
    /// Who asks.
    pub requester: String,
    /// When.
    pub created: Timestamp,
    /// What for.
    pub usages: Vec<String>,
    /// The request itself.
    pub request: Result<Request, RequestError>,
    /// What was said to it.
    pub answer: Answer,
}

/// What was said to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet.
    None,
    /// Yes, or it failed.
    Given,
    /// No, at this time.
    Denied(Timestamp),
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Make a token valid.
    PutToken {
        /// Its id.
        id: String,
        /// Until when.
        expires: Timestamp,
    },
    /// Make a token void, and remember that it is.
    Spend(String),
    /// Remove a token that nobody ordered.
    DropToken(String),
    /// Approve a request; its token is used with this key from now on.
    Approve {
        /// The object.
        csr: String,
        /// The token and the key; absent: a node renews its own certificate.
        token: Option<(String, Digest)>,
    },
    /// Deny a request.
    Deny {
        /// The object.
        csr: String,
        /// For people.
        why: String,
    },
    /// Remove a denied request, so that its key may ask again with another token.
    Forget(String),
    /// No new pods there.
    Cordon(String),
    /// New pods may come again.
    Uncordon(String),
    /// Empty it, then remove it.
    Drain(String),
    /// Forget that it was being emptied.
    Drained(String),
}

/// What to do now.
#[must_use]
pub fn decide(desired: &NodeDesired, found: &Found, memory: &Memory, now: Timestamp) -> Vec<Act> {
    let mut acts = tokens(desired, found, memory, now);
    let spending: BTreeSet<String> =
        acts.iter().filter_map(|a| if let Act::Spend(id) = a { Some(id.clone()) } else { None }).collect();
    // Two requests with one token in the same look must not both pass.
    let mut memory = memory.clone();
    memory.spent.extend(spending);
    // A kubelet that was started again asks with another key: its last request is the one that it waits for.
    let mut requests: Vec<&Csr> = found.requests.iter().collect();
    requests.sort_by_key(|csr| std::cmp::Reverse(csr.created));
    for csr in requests {
        let act = request(desired, csr, &memory, now);
        if let Some(Act::Approve { token: Some((id, key)), .. }) = &act {
            memory.uses.insert(id.clone(), super::Use { key: *key, at: now });
        }
        acts.extend(act);
    }
    acts.extend(nodes(desired, found, &memory));
    acts
}

fn tokens(desired: &NodeDesired, found: &Found, memory: &Memory, now: Timestamp) -> Vec<Act> {
    let ordered = |id: &String| desired.bootstrap.iter().any(|b| b.token_id == *id);
    let strange = found.tokens.keys().filter(|id| !ordered(id)).cloned().map(Act::DropToken);
    let own = desired.bootstrap.iter().filter_map(|b| token(b, found, memory, now));
    strange.chain(own).collect()
}

fn token(bootstrap: &Bootstrap, found: &Found, memory: &Memory, now: Timestamp) -> Option<Act> {
    let id = &bootstrap.token_id;
    let there = found.tokens.get(id);
    if memory.spent.contains(id) {
        return there.map(|_| Act::Spend(id.clone()));
    }
    let node = found.nodes.iter().find(|n| n.node.name == bootstrap.node_name);
    let arrived = node.zip(there).is_some_and(|(node, made)| node.created >= *made);
    let stale = memory.uses.get(id).is_some_and(|used| now >= used.at.after_seconds(AFTER_USE_S));
    if arrived || stale || now >= bootstrap.expires || asked_again(id, found, memory) {
        return Some(Act::Spend(id.clone()));
    }
    there.is_none().then(|| Act::PutToken { id: id.clone(), expires: bootstrap.expires })
}

/// Whether a used token asks for another key: its host lost the first one, or it is in other hands. A new one is needed.
fn asked_again(id: &str, found: &Found, memory: &Memory) -> bool {
    let Some(used) = memory.uses.get(id) else { return false };
    found.requests.iter().any(|csr| {
        let own = csr.requester.strip_prefix("system:bootstrap:") == Some(id);
        own && csr.answer == Answer::None
            && csr.created > used.at
            && csr.request.as_ref().is_ok_and(|r| r.key != used.key)
    })
}

fn request(desired: &NodeDesired, csr: &Csr, memory: &Memory, now: Timestamp) -> Option<Act> {
    let id = csr.requester.strip_prefix("system:bootstrap:");
    match csr.answer {
        Answer::Given => return None,
        Answer::Denied(at) => {
            let old = now >= at.after_seconds(DENIED_S);
            return (old && id.is_some()).then(|| Act::Forget(csr.name.clone()));
        }
        Answer::None => {}
    }
    let verdict = match id {
        Some(id) => newcomer(desired, csr, id, (memory, now)).map(Some),
        None if csr.requester.starts_with("system:node:") => renewal(csr).map(|()| None),
        // Somebody else's business.
        None => return None,
    };
    Some(match verdict {
        Ok(token) => Act::Approve { csr: csr.name.clone(), token },
        Err(why) => Act::Deny { csr: csr.name.clone(), why },
    })
}

fn newcomer(
    desired: &NodeDesired,
    csr: &Csr,
    id: &str,
    (memory, now): (&Memory, Timestamp),
) -> Result<(String, Digest), String> {
    let bootstrap = desired.bootstrap.iter().find(|b| b.token_id == id);
    let bootstrap =
        bootstrap.ok_or_else(|| format!("the token {id} was not made for a host of this cluster"))?;
    if now >= bootstrap.expires {
        return Err(format!("the token {id} has run out"));
    }
    let request = well_formed(csr)?;
    let expected = format!("system:node:{}", bootstrap.node_name);
    if request.common_name != expected {
        return Err(format!("the token {id} is for {expected}, not for {}", request.common_name));
    }
    let other = memory.uses.get(id).is_some_and(|used| used.key != request.key);
    if other || (memory.spent.contains(id) && !memory.uses.contains_key(id)) {
        return Err(format!("the token {id} was used"));
    }
    Ok((id.to_owned(), request.key))
}

fn renewal(csr: &Csr) -> Result<(), String> {
    let request = well_formed(csr)?;
    if request.common_name == csr.requester {
        return Ok(());
    }
    Err(format!("{} may not ask for {}", csr.requester, request.common_name))
}

fn well_formed(csr: &Csr) -> Result<&Request, String> {
    let request = csr.request.as_ref().map_err(|error| format!("the request is refused: {error}"))?;
    if request.organisations != ["system:nodes"] {
        return Err("the request is not for the group system:nodes alone".into());
    }
    let known = csr.usages.iter().all(|u| USAGES.contains(&u.as_str()));
    if !known || !csr.usages.iter().any(|u| u == "client auth") {
        return Err("the request is not for a client certificate alone".into());
    }
    Ok(request)
}

fn nodes(desired: &NodeDesired, found: &Found, memory: &Memory) -> Vec<Act> {
    let there = |name: &String| found.nodes.iter().any(|n| n.node.name == *name);
    let drained = memory.draining.keys().filter(|n| !desired.leaving.contains(n) || !there(n));
    let mut acts: Vec<Act> = drained.cloned().map(Act::Drained).collect();
    acts.extend(desired.leaving.iter().filter(|n| there(n)).cloned().map(Act::Drain));
    if let Some(own) = found.nodes.iter().find(|n| n.node.name == desired.node_name) {
        acts.extend(cordon(&desired.node_name, desired.cordoned, own.unschedulable));
    }
    acts
}

/// What makes a node's `unschedulable` what it shall be.
pub(crate) fn cordon(name: &str, wanted: bool, is: bool) -> Option<Act> {
    match (wanted, is) {
        (true, false) => Some(Act::Cordon(name.to_owned())),
        (false, true) => Some(Act::Uncordon(name.to_owned())),
        (true, true) | (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use cairn_contract::workload::{Distribution, NodeRole};

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);
    const LATER: Timestamp = Timestamp(2_000_000);

    fn desired(bootstrap: &[(&str, &str, Timestamp)]) -> NodeDesired {
        let bootstrap = bootstrap.iter().map(|(id, node, expires)| Bootstrap {
            token_id: (*id).into(),
            node_name: (*node).into(),
            expires: *expires,
        });
        NodeDesired {
            cluster: uuid::Uuid::nil(),
            cluster_name: "c".into(),
            node_name: "cp".into(),
            role: NodeRole::ControlPlane,
            distribution: Distribution::default(),
            version: "1".into(),
            pod_cidr: String::new(),
            service_cidr: String::new(),
            extra: BTreeMap::new(),
            labels: BTreeMap::new(),
            taints: vec![],
            cordoned: false,
            bootstrap: bootstrap.collect(),
            leaving: vec![],
        }
    }

    fn csr(requester: &str, user: &str, key: u8) -> Csr {
        let request = Request {
            common_name: user.into(),
            organisations: vec!["system:nodes".into()],
            key: Digest([key; 32]),
        };
        let usages = USAGES.map(str::to_owned).to_vec();
        Csr {
            name: "r".into(),
            requester: requester.into(),
            created: NOW,
            usages,
            request: Ok(request),
            answer: Answer::None,
        }
    }

    #[track_caller]
    fn said(csr: Csr, memory: &Memory) -> String {
        let desired = desired(&[("aaaaaa", "a", LATER), ("bbbbbb", "b", LATER), ("cccccc", "c", NOW)]);
        match request(&desired, &csr, memory, NOW) {
            Some(Act::Approve { token, .. }) => format!("yes {}", token.map_or_else(String::new, |t| t.0)),
            Some(Act::Deny { why, .. }) => why,
            Some(other) => format!("{other:?}"),
            None => "nothing".into(),
        }
    }

    #[test]
    fn a_token_lets_in_its_own_node_once() {
        let mut memory = Memory::default();
        let own = || csr("system:bootstrap:aaaaaa", "system:node:a", 1);
        assert_eq!(said(own(), &memory), "yes aaaaaa");
        memory.uses.insert("aaaaaa".into(), super::super::Use { key: Digest([1; 32]), at: NOW });
        assert_eq!(said(own(), &memory), "yes aaaaaa", "the same key again: it was cut short");
        let other_key = csr("system:bootstrap:aaaaaa", "system:node:a", 2);
        assert_eq!(said(other_key, &memory), "the token aaaaaa was used");
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let memory = Memory::default();
        let says = |requester: &str, user: &str| said(csr(requester, user, 1), &memory);
        assert_eq!(
            says("system:bootstrap:bbbbbb", "system:node:a"),
            "the token bbbbbb is for system:node:b, not for system:node:a"
        );
        assert_eq!(says("system:bootstrap:cccccc", "system:node:c"), "the token cccccc has run out");
        assert!(says("system:bootstrap:zzzzzz", "system:node:a").contains("was not made for"));
        assert_eq!(says("system:node:a", "system:node:b"), "system:node:a may not ask for system:node:b");
        assert_eq!(says("system:node:a", "system:node:a"), "yes ");
        assert_eq!(says("alice", "system:node:a"), "nothing");
        let mut more = csr("system:bootstrap:aaaaaa", "system:node:a", 1);
        more.usages.push("server auth".into());
        assert!(said(more, &memory).contains("client certificate alone"));
        let mut masters = csr("system:bootstrap:aaaaaa", "system:node:a", 1);
        masters.request.as_mut().unwrap().organisations.push("system:masters".into());
        assert!(said(masters, &memory).contains("system:nodes alone"));
        let mut broken = csr("system:bootstrap:aaaaaa", "system:node:a", 1);
        broken.request = Err(RequestError::Extensions);
        assert!(said(broken, &memory).contains("asks for extensions"));
    }

    #[test]
    fn a_token_that_asks_for_a_second_key_is_void() {
        let desired = desired(&[("aaaaaa", "a", LATER)]);
        let used = super::super::Use { key: Digest([1; 32]), at: Timestamp(1) };
        let memory = Memory { uses: [("aaaaaa".to_owned(), used)].into(), ..Memory::default() };
        let requests = vec![csr("system:bootstrap:aaaaaa", "system:node:a", 2)];
        let found = Found { requests, tokens: [("aaaaaa".to_owned(), NOW)].into(), ..Found::default() };
        let acts = decide(&desired, &found, &memory, NOW);
        assert!(matches!(acts.as_slice(), [Act::Spend(_), Act::Deny { .. }]), "{acts:?}");
    }

    #[test]
    fn of_two_requests_with_one_token_one_passes() {
        let mut requests = [1, 2].map(|key| csr("system:bootstrap:aaaaaa", "system:node:a", key)).to_vec();
        requests[0].created = Timestamp(1);
        let found = Found { requests, tokens: [("aaaaaa".to_owned(), NOW)].into(), ..Found::default() };
        let acts = decide(&desired(&[("aaaaaa", "a", LATER)]), &found, &Memory::default(), NOW);
        let last = Some(("aaaaaa".to_owned(), Digest([2; 32])));
        assert!(
            matches!(acts.as_slice(), [Act::Approve { token, .. }, Act::Deny { .. }] if *token == last),
            "{acts:?}"
        );
    }

    #[test]
    fn tokens_come_and_go() {
        let desired = desired(&[("aaaaaa", "a", LATER), ("cccccc", "c", NOW)]);
        let put = Act::PutToken { id: "aaaaaa".into(), expires: LATER };
        let first = decide(&desired, &Found::default(), &Memory::default(), NOW);
        assert_eq!(first, [put, Act::Spend("cccccc".into())]);
        let node = Node {
            node: KubeNode { name: "a".into(), ready: false, version: String::new(), message: String::new() },
            created: NOW,
            unschedulable: false,
        };
        let mut found = Found { nodes: vec![node], ..Found::default() };
        found.tokens = [("aaaaaa".to_owned(), NOW), ("zzzzzz".to_owned(), NOW)].into();
        let memory = Memory { spent: ["cccccc".to_owned()].into(), ..Memory::default() };
        let acts = decide(&desired, &found, &memory, NOW);
        assert_eq!(acts, [Act::DropToken("zzzzzz".into()), Act::Spend("aaaaaa".into())]);
        found.nodes[0].created = Timestamp(1);
        let acts = decide(&desired, &found, &memory, NOW);
        assert_eq!(acts, [Act::DropToken("zzzzzz".into())], "a node from before the token is not its work");
    }

    #[test]
    fn a_spent_token_is_not_made_again() {
        let desired = desired(&[("aaaaaa", "a", LATER)]);
        let memory = Memory { spent: ["aaaaaa".to_owned()].into(), ..Memory::default() };
        assert_eq!(decide(&desired, &Found::default(), &memory, NOW), []);
    }
}
