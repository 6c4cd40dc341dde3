//! Candidates that only the server or config.yaml knows.

use std::{
    ffi::{OsStr, OsString},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use cairn_domain::model::Kind;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use serde_json::Value;

use super::MAX;
use crate::{
    Environment, Globals,
    client::Client,
    contexts::{Config, choose},
    listing::{self, Query},
    target::{self, text},
};

/// A person waits for it with a finger on a key.
const PATIENCE: Duration = Duration::from_millis(1500);

/// What has been typed so far: clap gives a completer only the word at hand.
#[derive(Debug, Clone, Default)]
struct Typed {
    before: Vec<String>,
    environment: Environment,
}

static TYPED: Mutex<Option<Typed>> = Mutex::new(None);

/// Tells the completers what they cannot see.
pub(super) fn typing(words: &[OsString], index: usize, environment: &Environment) {
    let before = words.iter().take(index).filter_map(|w| w.to_str().map(str::to_owned)).collect();
    let typed = Typed { before, environment: environment.clone() };
    *TYPED.lock().unwrap_or_else(PoisonError::into_inner) = Some(typed);
}

fn typed() -> Typed {
    TYPED.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
}

/// Kinds.
pub(crate) fn kinds() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| fitting(current, Kind::ALL.map(|k| k.plural().to_owned())))
}

/// A kind, `KIND/NAME`, or the name of the kind before it.
pub(crate) fn words() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let text = current.to_str().unwrap_or_default();
        if let Some((kind, _)) = text.split_once('/') {
            let Ok(parsed) = kind.parse::<Kind>() else { return Vec::new() };
            return fitting(current, names(parsed).into_iter().map(|n| format!("{kind}/{n}")));
        }
        let typed = typed();
        match typed.before.iter().rev().find_map(|w| w.parse::<Kind>().ok()) {
            Some(kind) => fitting(current, names(kind)),
            None => fitting(current, Kind::ALL.map(|k| k.plural().to_owned())),
        }
    })
}

/// Hosts.
pub(crate) fn hosts() -> ArgValueCompleter {
    of_kind(Kind::Host)
}

/// Sites.
pub(crate) fn sites() -> ArgValueCompleter {
    of_kind(Kind::Site)
}

/// Users.
pub(crate) fn users() -> ArgValueCompleter {
    of_kind(Kind::User)
}

/// Tokens.
pub(crate) fn tokens() -> ArgValueCompleter {
    of_kind(Kind::Token)
}

/// Clusters.
pub(crate) fn clusters() -> ArgValueCompleter {
    of_kind(Kind::Cluster)
}

/// Cluster templates.
pub(crate) fn templates() -> ArgValueCompleter {
    of_kind(Kind::ClusterTemplate)
}

/// Deployments.
pub(crate) fn deployments() -> ArgValueCompleter {
    of_kind(Kind::Deployment)
}

/// Secrets.
pub(crate) fn secrets() -> ArgValueCompleter {
    of_kind(Kind::Secret)
}

fn of_kind(kind: Kind) -> ArgValueCompleter {
    ArgValueCompleter::new(move |current: &OsStr| fitting(current, names(kind)))
}

/// Organisations and projects.
pub(crate) fn namespaces() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let all = |kind| objects(kind).iter().map(target::full_name).collect::<Vec<_>>();
        fitting(current, [all(Kind::Organisation), all(Kind::Project)].concat())
    })
}

/// Contexts of config.yaml.
pub(crate) fn contexts() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let config = typed().environment.config.and_then(|path| Config::load(&path).ok()).unwrap_or_default();
        fitting(current, config.contexts.into_iter().map(|c| c.name))
    })
}

fn fitting(current: &OsStr, all: impl IntoIterator<Item = String>) -> Vec<CompletionCandidate> {
    let begin = current.to_str().unwrap_or_default();
    all.into_iter().filter(|text| text.starts_with(begin)).map(CompletionCandidate::new).collect()
}

/// Bare names where they are unique, else full names.
fn names(kind: Kind) -> Vec<String> {
    let all = objects(kind);
    let unique = |name: &str| all.iter().filter(|o| text(o, "/metadata/name") == name).count() == 1;
    all.iter()
        .map(|o| match text(o, "/metadata/name") {
            name if unique(name) => name.to_owned(),
            _ => target::full_name(o),
        })
        .collect()
}

/// Asks the server; nothing when it does not answer at once.
fn objects(kind: Kind) -> Vec<Value> {
    let typed = typed();
    let Ok(chosen) = choose(&globals(&typed.before), &typed.environment) else { return Vec::new() };
    let namespace = Some(chosen.namespace).filter(|n| !n.is_empty());
    let Ok(client) = Client::new(chosen.connection) else { return Vec::new() };
    let ask = async {
        let query = Query { namespace, limit: Some(MAX), ..Query::default() };
        tokio::time::timeout(PATIENCE, listing::list(&client, kind, &query)).await
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map(|r| r.block_on(ask)) {
        Ok(Ok(Ok(list))) => list.items,
        _ => Vec::new(),
    }
}

/// The flags that say where to ask.
fn globals(words: &[String]) -> Globals {
    let value = |long: &str, short: &str| {
        words.iter().enumerate().find_map(|(n, word)| match word.strip_prefix(long) {
            Some("") => words.get(n + 1).cloned(),
            Some(rest) => rest.strip_prefix('=').map(str::to_owned),
            None if !short.is_empty() && word == short => words.get(n + 1).cloned(),
            None => None,
        })
    };
    let data = value("--data", "").or_else(|| std::env::var("CAIRN_DATA").ok()).unwrap_or_default();
    Globals {
        data: data.parse().unwrap_or_default(),
        context: value("--context", ""),
        namespace: value("--namespace", "-n"),
        ..Globals::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_that_is_asked_is_the_one_that_is_typed() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let globals = globals(&words("cairn --context=one get hosts -n acme --data /d"));
        assert_eq!((globals.context.as_deref(), globals.namespace.as_deref()), (Some("one"), Some("acme")));
        assert_eq!(&*globals.data, std::path::Path::new("/d"));
    }
}
