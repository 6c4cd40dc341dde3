//! What runs on hosts and clusters: `cairn deploy`, `cairn deployment`, `cairn package`, `cairn secret`, `cairn cluster`,
//! `cairn distribution`. Here are those that make and show; what goes through the tunnel (kubeconfig, logs, exec) is elsewhere.

mod cluster;
mod deploy;
mod deployment;
mod distribution;
mod folder;
mod package;
mod parameters;
mod secrets;
mod status;

pub(crate) use status::{nodes, targets};

use cairn_domain::model::Kind;
use serde_json::{Value, json};

use crate::{
    Command, Context,
    args::Get,
    context::Session,
    exit::Failure,
    show::diff,
    target,
    verbs::{apply::Run, get},
};

/// Runs one of them.
pub(crate) async fn run(cx: &mut Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Deploy(args) => deploy::run(cx, &args).await,
        Command::Deployment(command) => deployment::run(cx, &command).await,
        Command::Package(command) => package::run(cx, &command).await,
        Command::Secret(command) => secrets::run(cx, &command).await,
        Command::Cluster(command) => cluster::run(cx, &command).await,
        Command::Distribution(command) => distribution::run(cx, &command).await,
        other => Err(Failure::usage(format!("{other:?} is not known"), "cairn --help")),
    }
}

/// `ls` of a kind.
async fn list(cx: &mut Context, kind: Kind) -> Result<(), Failure> {
    let get = Get {
        words: vec![kind.plural().to_owned()],
        all_namespaces: false,
        selector: None,
        field_selector: None,
        watch: false,
        limit: None,
    };
    get::run(cx, &get).await
}

/// The project to work in, for what lives in projects only.
fn project(session: &Session, what: &str) -> Result<String, Failure> {
    match session.namespace() {
        Some(namespace) if namespace.contains('.') => Ok(namespace.to_owned()),
        Some(namespace) => Err(Failure::usage(
            format!("{namespace} is an organisation, and {what} lives in a project"),
            format!("Name it: -n PROJECT.{namespace}"),
        )),
        None => Ok("default.default".to_owned()),
    }
}

/// Applies one resource as `cairn apply` does, and says what became of it.
async fn apply(cx: &mut Context, session: &Session, object: &Value, run: Run) -> Result<Value, Failure> {
    let body = json!({ "items": [object], "dryRun": run == Run::Dry });
    let answer: Value = session.client.post("/api/v1/apply", Some(&body)).await?;
    let item = answer.pointer("/items/0").cloned().unwrap_or_default();
    if let Some(problem) = item.get("problem").filter(|p| p.is_object()).and_then(crate::Problem::of) {
        return Err(Failure::refused(problem));
    }
    if !cx.value(item.get("object").filter(|o| o.is_object()).unwrap_or(object))? {
        let words = cx.words();
        let shown = item.get("object").filter(|o| o.is_object()).unwrap_or(object);
        cx.line(&diff::item(&item, &target::kind_and_name(shown), run.suffix(), &words))?;
        if run == Run::Dry || target::text(&item, "/action") == "configured" {
            diff::changes(&item, &words).iter().try_for_each(|line| cx.line(line))?;
        }
    }
    Ok(item)
}

/// Whether `outer` is `namespace` or lies above it; "" is the appliance.
fn is_above(outer: &str, namespace: &str) -> bool {
    outer.is_empty()
        || outer == namespace
        || namespace.strip_suffix(outer).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_above_is_seen_from_below() {
        for outer in ["", "acme", "retail.acme"] {
            assert!(is_above(outer, "retail.acme"), "{outer}");
        }
        for outer in ["cme", "other.acme", "x.retail.acme"] {
            assert!(!is_above(outer, "retail.acme"), "{outer}");
        }
    }
}
