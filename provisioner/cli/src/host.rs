//! `cairn host ...`: short forms of the verbs.

use cairn_domain::model::{API_VERSION, Kind};
use serde_json::{Map, Value, json};

use crate::{
    Context, HostCommand,
    args::{Get, Register},
    exit::Failure,
    orders::{self, Order},
    pairs::Pair,
    target::{self, Target, text},
    timeline,
    verbs::{describe, get},
};

/// Where hosts go when nothing names a project: `cairn init` makes it.
const DEFAULT_PROJECT: &str = "default.default";

fn named(name: String) -> Target {
    Target { kind: Kind::Host, name }
}

/// All of them.
pub(crate) async fn run(cx: &mut Context, command: HostCommand) -> Result<(), Failure> {
    match command {
        HostCommand::Register(r) => register(cx, &r).await,
        HostCommand::Ls { state } => list(cx, state).await,
        HostCommand::Show { name } => show(cx, &named(name)).await,
        HostCommand::Timeline { name, follow: false } => timeline::host(cx, &named(name)).await,
        HostCommand::Timeline { name, follow: true } => timeline::follow(cx, &named(name)).await,
        HostCommand::Accept { name, rename, site, image, labels } => {
            let mut body = Map::new();
            let said = [("name", rename), ("site", site), ("image", image)];
            body.extend(said.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?.into()))));
            if !labels.is_empty() {
                body.insert("labels".into(), self::labels(&labels)?.into());
            }
            orders::accept(cx, &named(name), body).await
        }
        HostCommand::Retry { name } => orders::one(cx, &named(name), Order::Retry).await,
        HostCommand::Reinstall { name, force: false } => {
            orders::one(cx, &named(name), Order::Reinstall).await
        }
        HostCommand::Reinstall { name, force: true } => {
            orders::one(cx, &named(name), Order::ReinstallNow).await
        }
        HostCommand::Rm { name } => remove(cx, &named(name)).await,
    }
}

async fn register(cx: &mut Context, register: &Register) -> Result<(), Failure> {
    let session = cx.session()?;
    let namespace = session.namespace().unwrap_or(DEFAULT_PROJECT);
    let object = object(register, namespace)?;
    let host: Value = session.client.post(&target::list_path(Kind::Host), Some(&object)).await?;
    if cx.value(&host)? {
        return Ok(());
    }
    let name = cairn_domain::fact::plain(text(&host, "/metadata/name"), 100);
    cx.line(&format!("Registered {name}. Switch it on and let it boot from the network."))?;
    cx.line(&format!("Watch it: cairn host timeline {name} --follow"))
}

/// The resource.
fn object(register: &Register, namespace: &str) -> Result<Value, Failure> {
    let labels = labels(&register.labels)?;
    let mut metadata = json!({ "name": register.name, "namespace": namespace });
    if !labels.is_empty() {
        metadata["labels"] = labels.into();
    }
    Ok(
        json!({ "apiVersion": API_VERSION, "kind": Kind::Host.name(), "metadata": metadata, "spec": register.spec() }),
    )
}

/// `--label KEY=VALUE ...`
fn labels(words: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut labels = Map::new();
    for word in words {
        let Pair::Set(key, value) = Pair::parse(word)? else {
            return Err(Failure::usage(format!("--label {word} removes nothing"), "Write KEY=VALUE"));
        };
        labels.insert(key, value.into());
    }
    Ok(labels)
}

async fn list(cx: &mut Context, state: Option<String>) -> Result<(), Failure> {
    let get = Get {
        words: vec![Kind::Host.plural().to_owned()],
        all_namespaces: false,
        selector: None,
        field_selector: state.map(|s| format!("status.phase={s}")),
        watch: false,
        limit: None,
    };
    get::run(cx, &get).await
}

async fn show(cx: &mut Context, target: &Target) -> Result<(), Failure> {
    let session = cx.session()?;
    let host = target.get(&session.client, session.namespace()).await?;
    if cx.value(&host)? { Ok(()) } else { describe::host(cx, &session, &host).await }
}

async fn remove(cx: &mut Context, target: &Target) -> Result<(), Failure> {
    let session = cx.session()?;
    let key = target.key(&session.client, session.namespace()).await?;
    session.client.delete(&target::path(Kind::Host, &key)).await?;
    if cx.value(&json!({ "removed": target.name }))? {
        return Ok(());
    }
    cx.line(&format!("Removed {}.", cairn_domain::fact::plain(&target.name, 100)))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{Cli, Command};

    #[test]
    fn a_registration_is_a_host_in_its_project() {
        let line =
            "cairn host register till-7 --serial SN1 --site north --label role=pos --label x= --disk-min 20G";
        let Command::Host(HostCommand::Register(r)) = Cli::try_parse_from(line.split(' ')).unwrap().command
        else {
            panic!("not a registration")
        };
        let want = json!({"apiVersion": "cairn/v1", "kind": "Host",
            "metadata": {"name": "till-7", "namespace": "retail.acme", "labels": {"role": "pos", "x": ""}},
            "spec": {"serial": "SN1", "site": "north", "disk": {"minSize": 20_000_000_000_u64}}});
        assert_eq!(object(&r, "retail.acme").unwrap(), want);
    }
}
