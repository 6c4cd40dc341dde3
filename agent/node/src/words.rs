//! Fills `{{name}}` of a distribution's texts, strictly: an unknown word is an error that names it. No conditions, no loops.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use cairn_contract::workload::{NodeDesired, NodeRole, Taint};
use zeroize::Zeroizing;

use crate::secrets::Token;

/// Port of the API server where `extra.api_port` names none.
const API_PORT: &str = "6443";

/// Why a text cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// No such word.
    #[error("the distribution uses the unknown word `{0}`")]
    Unknown(String),
    /// The word is known, but has no value here.
    #[error("`{0}` has no value on this node")]
    Absent(String),
    /// `{{` without `}}`.
    #[error("`{{{{` without `}}}}` in a text of the distribution")]
    Open,
}

/// What the machine itself adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its address, as others reach it.
    pub node_ip: IpAddr,
    /// The appliance's registry, `address:port`.
    pub registry: Option<String>,
}

/// Words and their values.
#[derive(Clone)]
pub struct Words {
    values: BTreeMap<String, Zeroizing<String>>,
}

/// Known words; beside them `extra.<key>`.
const KNOWN: [&str; 16] = [
    "node_name",
    "node_ip",
    "cluster_name",
    "endpoint",
    "pod_cidr",
    "service_cidr",
    "dns_ip",
    "version",
    "token",
    "ca_pin",
    "labels",
    "taints",
    "registry",
    "bin",
    "state",
    "cluster",
];

impl Words {
    /// All words of a node, but `token`. `base` is the folder of `bin` and `state`.
    #[must_use]
    pub fn of(desired: &NodeDesired, facts: &Facts, base: &Path) -> Self {
        let mut words = Self { values: BTreeMap::new() };
        words.put("node_name", &desired.node_name);
        words.put("node_ip", &facts.node_ip.to_string());
        words.put("cluster", &desired.cluster.to_string());
        words.put("cluster_name", &desired.cluster_name);
        words.put("pod_cidr", &desired.pod_cidr);
        words.put("service_cidr", &desired.service_cidr);
        words.put("version", &desired.version);
        let labels: Vec<String> = desired.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        words.put("labels", &labels.join(","));
        words.put("taints", &desired.taints.iter().map(taint).collect::<Vec<_>>().join(","));
        words.put("bin", &base.join("bin").display().to_string());
        words.put("state", &base.join("state").display().to_string());
        for (key, value) in &desired.extra {
            words.put(&format!("extra.{key}"), value);
        }
        if let Some(dns) = tenth(&desired.service_cidr) {
            words.put("dns_ip", &dns);
        }
        if let Some(registry) = &facts.registry {
            words.put("registry", registry);
        }
        words.place(desired, facts);
        words
    }

    /// Where the API server is.
    fn place(&mut self, desired: &NodeDesired, facts: &Facts) {
        match &desired.role {
            NodeRole::ControlPlane => self.put("endpoint", &own_endpoint(desired, facts.node_ip)),
            NodeRole::Worker(Some(join)) => {
                self.put("endpoint", &join.endpoint);
                self.put("ca_pin", &join.ca_pin);
            }
            NodeRole::Worker(None) => {}
        }
    }

    fn put(&mut self, word: &str, value: &str) {
        self.values.insert(word.to_owned(), Zeroizing::new(value.to_owned()));
    }

    /// The same, with the token.
    #[must_use]
    pub fn with_token(&self, token: &Token) -> Self {
        let mut all = self.clone();
        all.values.insert("token".to_owned(), token.whole());
        all
    }

    /// The same, for a node that needs its token no more: what would hold it is not written.
    #[must_use]
    pub(crate) fn with_void_token(mut self) -> Self {
        self.put("token", "void");
        self
    }

    /// `text` with every word replaced by its value.
    ///
    /// # Errors
    /// When a word is unknown or has no value here.
    pub fn fill(&self, text: &str) -> Result<String, FillError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (word, behind) = after.split_once("}}").ok_or(FillError::Open)?;
            out.push_str(before);
            out.push_str(self.value(word.trim())?);
            rest = behind;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value(&self, word: &str) -> Result<&str, FillError> {
        let known = KNOWN.contains(&word) || word.strip_prefix("extra.").is_some_and(|key| !key.is_empty());
        match self.values.get(word) {
            Some(value) => Ok(value),
            None if known => Err(FillError::Absent(word.to_owned())),
            None => Err(FillError::Unknown(word.to_owned())),
        }
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// Whether `text` uses `word`.
#[must_use]
pub fn mentions(text: &str, word: &str) -> bool {
    text.split("{{").skip(1).any(|part| part.split_once("}}").is_some_and(|(name, _)| name.trim() == word))
}

/// `ip:port` of the API server on this node.
pub(crate) fn own_endpoint(desired: &NodeDesired, ip: IpAddr) -> String {
    let port = desired.extra.get("api_port").map_or(API_PORT, String::as_str);
    match ip {
        IpAddr::V4(ip) => format!("{ip}:{port}"),
        IpAddr::V6(ip) => format!("[{ip}]:{port}"),
    }
}

fn taint(taint: &Taint) -> String {
    format!("{}={}:{:?}", taint.key, taint.value, taint.effect)
}

/// The tenth address of a network, where clusters have their name service.
fn tenth(cidr: &str) -> Option<String> {
    let first = cidr.split(',').next()?.split_once('/')?.0;
    Some(match first.trim().parse().ok()? {
        IpAddr::V4(ip) => std::net::Ipv4Addr::from(u32::from(ip).checked_add(10)?).to_string(),
        IpAddr::V6(ip) => std::net::Ipv6Addr::from(u128::from(ip).checked_add(10)?).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(pairs: &[(&str, &str)]) -> Words {
        let values = pairs.iter().map(|(k, v)| ((*k).to_owned(), Zeroizing::new((*v).to_owned()))).collect();
        Words { values }
    }

    #[test]
    fn words_are_filled_and_unknown_ones_are_named() {
        let words = words(&[("node_name", "a"), ("extra.x", "1")]);
        assert_eq!(words.fill("--n={{node_name}} {{ extra.x }}{").unwrap(), "--n=a 1{");
        assert_eq!(words.fill("{{nodename}}"), Err(FillError::Unknown("nodename".into())));
        assert_eq!(words.fill("{{token}}"), Err(FillError::Absent("token".into())));
        assert_eq!(words.fill("{{extra.y}}"), Err(FillError::Absent("extra.y".into())));
        assert_eq!(words.fill("{{token"), Err(FillError::Open));
    }

    #[test]
    fn a_value_is_never_filled_again() {
        let words = words(&[("extra.x", "{{token}}")]);
        assert_eq!(words.fill("{{extra.x}}").unwrap(), "{{token}}");
    }

    #[test]
    fn the_name_service_is_the_tenth_address() {
        assert_eq!(tenth("10.96.0.0/16").as_deref(), Some("10.96.0.10"));
        assert_eq!(tenth("fd00::/112,10.0.0.0/16").as_deref(), Some("fd00::a"));
        assert_eq!(tenth("255.255.255.255/32"), None);
        assert_eq!(tenth("x"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_filled_or_refused(text in "[{}a-z. ]{0,60}") {
            let _ = (words(&[("a", "b")]).fill(&text), mentions(&text, "a"));
        }
    }
}
