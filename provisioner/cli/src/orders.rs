//! Orders for hosts: accept, retry, reinstall, deauthorise, decommission, move.

use serde_json::{Map, Value, json};

use crate::{
    Context,
    args::{Hosts, Move},
    exit::Failure,
    show::{describe, diff},
    target::{self, Target, text, with_query},
    verbs::apply::Run,
};

/// An order without parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Retry,
    Reinstall,
    /// Outside of maintenance windows too.
    ReinstallNow,
    Deauthorise,
    Decommission,
}

impl Order {
    fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Reinstall | Self::ReinstallNow => "reinstall",
            Self::Deauthorise => "deauthorise",
            Self::Decommission => "decommission",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Retry => "It may try again:",
            Self::Reinstall | Self::ReinstallNow => "To be installed again:",
            Self::Deauthorise => "Cut off:",
            Self::Decommission => "Being taken out of service:",
        }
    }

    fn next(self, name: &str) -> String {
        match self {
            Self::Retry | Self::Reinstall | Self::ReinstallNow => {
                "It goes on at its next boot from the network; an installer that waits goes on by itself."
                    .to_owned()
            }
            Self::Deauthorise => {
                format!("To let it prove itself again: cairn host retry {name}")
            }
            Self::Decommission => format!("Watch it: cairn timeline {name} -f"),
        }
    }
}

/// One host, one order.
pub(crate) async fn one(cx: &mut Context, target: &Target, order: Order) -> Result<(), Failure> {
    let session = cx.session()?;
    let key = target.key(&session.client, session.namespace()).await?;
    let path = format!("{}/{}", target::path(target.kind, &key), order.word());
    let body = (order == Order::ReinstallNow).then(|| json!({ "force": true }));
    let host: Value = session.client.post(&path, body.as_ref()).await?;
    let name =
        if text(&host, "/metadata/name").is_empty() { &target.name } else { text(&host, "/metadata/name") };
    told(cx, &host, (order.done(), &order.next(name)))
}

/// `cairn host accept`
pub(crate) async fn accept(
    cx: &mut Context,
    target: &Target,
    said: Map<String, Value>,
) -> Result<(), Failure> {
    let session = cx.session()?;
    let key = target.key(&session.client, session.namespace()).await?;
    let body = Some(said).filter(|said| !said.is_empty());
    let path = format!("{}/accept", target::path(target.kind, &key));
    let host: Value = session.client.post(&path, body.as_ref()).await?;
    let next = "It goes on at its next boot from the network; an installer that waits goes on by itself.";
    told(cx, &host, ("Accepted", next))
}

/// `cairn deauthorise`, `cairn decommission`
pub(crate) async fn several(cx: &mut Context, args: &Hosts, order: Order) -> Result<(), Failure> {
    let targets = target::hosts(&args.words)?;
    if !args.yes {
        let names: Vec<&str> = targets.iter().map(|t| t.name.as_str()).collect();
        let names = cairn_domain::fact::plain(&names.join(", "), 300);
        match order {
            // What a disk held does not come back.
            Order::Decommission => {
                cx.confirm(&format!("Wipe the disk of {names} and take it out of service?"), "--yes")?;
            }
            _ => cx.confirm_on_terminal(&format!("Cut off {names} now?"))?,
        }
    }
    for target in &targets {
        one(cx, target, order).await?;
    }
    Ok(())
}

/// `cairn move`
pub(crate) async fn relocate(cx: &mut Context, args: &Move) -> Result<(), Failure> {
    let session = cx.session()?;
    let run = Run::of(args.dry_run);
    for target in target::hosts(&args.words)? {
        let key = target.key(&session.client, session.namespace()).await?;
        let path = with_query(&format!("{}/move", target::path(target.kind, &key)), &[run.parameter()]);
        let answer: Value = session.client.post(&path, Some(&destination(&args.to))).await?;
        if cx.value(&answer)? {
            continue;
        }
        let host = answer.get("object").filter(|o| o.is_object()).unwrap_or(&answer);
        let (words, name) = (cx.words(), target::full_name(host));
        let site = text(host, "/spec/site");
        let name = if name.is_empty() { target.name.clone() } else { name };
        cx.line(&format!(
            "Moved {name} to {}{}.",
            if site.is_empty() { &args.to } else { site },
            run.suffix()
        ))?;
        diff::changes(&answer, &words).iter().try_for_each(|line| cx.line(line))?;
        diff::affected(&answer).iter().try_for_each(|line| cx.line(line))?;
    }
    Ok(())
}

/// A site by name, or by full name with its project.
fn destination(site: &str) -> Value {
    match site.split_once('.') {
        Some((name, project)) => json!({ "site": name, "namespace": project }),
        None => json!({ "site": site }),
    }
}

fn told(cx: &mut Context, host: &Value, (what, next): (&str, &str)) -> Result<(), Failure> {
    if cx.value(host)? {
        return Ok(());
    }
    // The server knows best what its state asks for.
    let next = Some(text(host, "/status/next")).filter(|n| !n.is_empty()).unwrap_or(next);
    let words = cx.words();
    let name = cairn_domain::fact::plain(text(host, "/metadata/name"), 100);
    cx.line(&format!("{what} {name}, now {}.", describe::phase(host, &words)))?;
    cx.line(&cairn_domain::fact::plain(next, 600))
}
