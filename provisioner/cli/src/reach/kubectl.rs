//! `cairn kubectl`: runs the operator's own kubectl with a kubeconfig that lives as long as it does.

use std::{io::Write as _, process::Command};

use cairn_domain::model::Kind;
use serde_json::Value;

use super::kubeconfig::{get, path};
use crate::{Context, args::Kubectl, context::Session, exit::Failure, target};

/// `cairn kubectl`
pub(super) async fn run(cx: &mut Context, args: &Kubectl) -> Result<(), Failure> {
    let session = cx.session()?;
    let name = match &args.cluster {
        Some(name) => name.clone(),
        None => only(&session).await?,
    };
    let answer = get(&session.client, &path(&session, &name).await?, None).await?;
    let failed =
        |e: std::io::Error| Failure::new(format!("cannot write a kubeconfig: {e}"), "Is there room in /tmp?");
    // Its mode is 0600; it is removed when this ends.
    let mut file = tempfile::Builder::new().prefix("cairn-kubeconfig-").tempfile().map_err(failed)?;
    let config = answer.get("config").cloned().unwrap_or_default();
    file.write_all(config.to_string().as_bytes()).map_err(failed)?;
    let mut kubectl = Command::new("kubectl");
    kubectl.args(&args.args).env("KUBECONFIG", file.path());
    let ended = tokio::task::spawn_blocking(move || kubectl.status()).await;
    let next = "Install it (Debian: kubernetes-client), or: cairn cluster kubeconfig NAME --out FILE";
    let status = ended.map_err(|e| Failure::new(e.to_string(), ""))?;
    let status = status.map_err(|e| Failure::new(format!("cannot start kubectl: {e}"), next))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(Failure::silent(u8::try_from(code).unwrap_or(1))),
        None => Err(Failure::new(format!("kubectl was ended: {status}"), "")),
    }
}

/// The one cluster that there is for this person.
async fn only(session: &Session) -> Result<String, Failure> {
    let list = target::with_query(&target::list_path(Kind::Cluster), &[("limit", Some("20"))]);
    let page: Value = session.client.get(&list).await?;
    let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let uid = |item: &Value| target::text(item, "/metadata/uid").to_owned();
    let name = |item: &Value| target::text(item, "/metadata/name").to_owned();
    match items.as_slice() {
        [one] => Ok(uid(one)),
        [] => Err(Failure::usage(
            "there is no cluster that you may see",
            "Make one: cairn cluster create NAME --hosts HOST",
        )),
        several => {
            let names: Vec<String> = several.iter().map(name).collect();
            Err(Failure::usage(
                format!("there are several clusters: {}", names.join(", ")),
                "Name one: --cluster NAME",
            ))
        }
    }
}
