//! `cairn describe`: a resource in full; of a host also its parts, phases and last lines.

use cairn_domain::{
    model::Kind,
    timeline::{Entry, phases},
};
use serde_json::Value;

use crate::{
    Context,
    context::Session,
    exit::Failure,
    show::{describe, entry::Printer, facts, workloads as show},
    target, timeline, workloads,
};

/// Lines of a host's timeline that are shown.
const LAST: usize = 8;

/// `cairn describe`
pub(crate) async fn run(cx: &mut Context, words: &[String]) -> Result<(), Failure> {
    let session = cx.session()?;
    let targets = target::targets(words)?;
    for (n, target) in targets.iter().enumerate() {
        if n > 0 && cx.output.is_text() {
            cx.line("")?;
        }
        let object = target.get(&session.client, session.namespace()).await?;
        let printed = if targets.len() > 1 { cx.streamed(&object)? } else { cx.value(&object)? };
        if printed {
            continue;
        }
        if target.kind == Kind::Host {
            host(cx, &session, &object).await?;
        } else {
            let words = cx.words();
            cx.line(&describe::object(&object, &words))?;
            parts(cx, &session, (target.kind, &object)).await?;
        }
    }
    Ok(())
}

/// Nodes of a cluster, targets of a deployment.
async fn parts(cx: &mut Context, session: &Session, (kind, object): (Kind, &Value)) -> Result<(), Failure> {
    let words = cx.words();
    match kind {
        Kind::Cluster => {
            let rows = workloads::nodes(&session.client, object).await?;
            cx.line("nodes")?;
            cx.line(&indented(&show::nodes(&rows, &words)))
        }
        Kind::Deployment => {
            let rows = workloads::targets(&session.client, object).await?;
            cx.line("targets")?;
            cx.line(&indented(&show::targets(&rows, &words)))
        }
        _ => Ok(()),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// One host for people.
pub(crate) async fn host(cx: &mut Context, session: &Session, host: &Value) -> Result<(), Failure> {
    let key = target::full_name(host);
    let entries: Vec<Entry> =
        timeline::all(&session.client, &format!("{}/timeline", target::path(Kind::Host, &key))).await?;
    let words = cx.words();
    cx.line(&facts::host(host, &words))?;
    let runs: Vec<Value> =
        timeline::all(&session.client, &format!("{}/workloads", target::path(Kind::Host, &key))).await?;
    if !runs.is_empty() {
        cx.line("runs")?;
        cx.line(&indented(&show::runs(&runs, &words)))?;
    }
    let phases = phases(&entries);
    if !phases.is_empty() {
        cx.line(&facts::phases(&phases, &words))?;
    }
    if entries.is_empty() {
        return Ok(());
    }
    cx.line("last")?;
    let mut printer = Printer::default();
    entries
        .iter()
        .skip(entries.len().saturating_sub(LAST))
        .try_for_each(|e| cx.line(&printer.print(e, &words)))
}
