//! `cairn deployment status`, `pause`, `resume`, `ls`.

use cairn_domain::model::Kind;
use serde_json::json;

use super::{list, status};
use crate::{
    Context,
    args::DeploymentCommand,
    exit::Failure,
    target::{self, Target},
};

/// `cairn deployment ...`
pub(super) async fn run(cx: &mut Context, command: &DeploymentCommand) -> Result<(), Failure> {
    match command {
        DeploymentCommand::Status { name, watch } => {
            status::run(cx, (Kind::Deployment, name), status::Until::of(*watch)).await
        }
        DeploymentCommand::Pause { name } => set(cx, name, Hold::Paused).await,
        DeploymentCommand::Resume { name } => set(cx, name, Hold::Going).await,
        DeploymentCommand::Ls => list(cx, Kind::Deployment).await,
    }
}

/// Whether targets change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    Paused,
    Going,
}

async fn set(cx: &mut Context, name: &str, hold: Hold) -> Result<(), Failure> {
    let session = cx.session()?;
    let target = Target { kind: Kind::Deployment, name: name.to_owned() };
    let before = target.get(&session.client, session.namespace()).await?;
    let is_paused = before.pointer("/spec/paused").and_then(serde_json::Value::as_bool).unwrap_or(false);
    let path = target::path(Kind::Deployment, &target::full_name(&before));
    let patch = json!({ "spec": { "paused": hold == Hold::Paused } });
    let after = session.client.patch(&path, &patch).await?;
    if cx.value(&after)? {
        return Ok(());
    }
    let name = cairn_domain::fact::plain(&target::full_name(&after), 200);
    match (hold, is_paused) {
        (Hold::Paused, true) => cx.line(&format!("{name} is paused already.")),
        (Hold::Going, false) => cx.line(&format!("{name} is not paused.")),
        (Hold::Paused, false) => cx.line(&format!(
            "Paused {name}: nothing changes on its targets. Go on: cairn deployment resume {name}"
        )),
        (Hold::Going, true) => {
            cx.line(&format!("{name} goes on. How far it is: cairn deployment status {name} -w"))
        }
    }
}
