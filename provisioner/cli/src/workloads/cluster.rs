//! `cairn cluster create`, `status`, `add`, `remove`, `ls`.

use cairn_domain::model::{API_VERSION, Kind};
use serde_json::{Map, Value, json};

use super::{apply, deploy::selector, list, project, status};
use crate::{
    CallError, Context,
    args::{ClusterCommand, ClusterCreate},
    context::Session,
    exit::Failure,
    pairs::Pair,
    reach,
    target::{self, Target},
    verbs::apply::Run,
};

/// How often a change is made anew when others were quicker.
const TRIES: u32 = 8;

/// `cairn cluster ...`
pub(super) async fn run(cx: &mut Context, command: &ClusterCommand) -> Result<(), Failure> {
    match command {
        ClusterCommand::Create(args) => create(cx, args).await,
        ClusterCommand::Status { name, watch } => {
            status::run(cx, (Kind::Cluster, name), status::Until::of(*watch)).await
        }
        ClusterCommand::Add { name, hosts } => change(cx, name, Members::Join(hosts)).await,
        ClusterCommand::Remove { name, hosts } => change(cx, name, Members::Leave(hosts)).await,
        ClusterCommand::Kubeconfig(args) => reach::kubeconfig(cx, args).await,
        ClusterCommand::Ls => list(cx, Kind::Cluster).await,
    }
}

async fn create(cx: &mut Context, args: &ClusterCreate) -> Result<(), Failure> {
    let session = cx.session()?;
    let object = cluster(args, &project(&session, "a cluster")?)?;
    let run = Run::of(args.dry_run);
    apply(cx, &session, &object, run).await?;
    if run == Run::Real && cx.output.is_text() {
        cx.line(&format!("How far it is: cairn cluster status {} -w", args.name))?;
    }
    Ok(())
}

fn cluster(args: &ClusterCreate, namespace: &str) -> Result<Value, Failure> {
    let mut spec = Map::new();
    let given = [("template", &args.template), ("controlPlane", &args.control_plane)];
    spec.extend(
        given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.as_deref()?.into()))),
    );
    if !args.hosts.is_empty() {
        spec.insert("hosts".to_owned(), json!(args.hosts));
    }
    if let Some(text) = &args.selector {
        spec.insert("selector".to_owned(), selector(text)?);
    }
    let mut labels = Map::new();
    for word in &args.labels {
        match Pair::parse(word)? {
            Pair::Set(key, value) => drop(labels.insert(key, value.into())),
            Pair::Remove(_) => {
                return Err(Failure::usage(
                    "a new cluster has no label to remove",
                    "Write --label KEY=VALUE",
                ));
            }
        }
    }
    Ok(json!({ "apiVersion": API_VERSION, "kind": Kind::Cluster.name(),
        "metadata": { "name": args.name, "namespace": namespace, "labels": labels }, "spec": spec }))
}

/// Who comes and who goes.
enum Members<'a> {
    Join(&'a [String]),
    Leave(&'a [String]),
}

async fn change(cx: &mut Context, name: &str, members: Members<'_>) -> Result<(), Failure> {
    let session = cx.session()?;
    let target = Target { kind: Kind::Cluster, name: name.to_owned() };
    let (after, hosts) = replace(&session, &target, &members).await?;
    if cx.value(&after)? {
        return Ok(());
    }
    let shown = cairn_domain::fact::plain(&target::full_name(&after), 200);
    cx.line(&format!("{shown} now has: {}", hosts.join(", ")))?;
    cx.line(&format!("How far it is: cairn cluster status {name} -w"))
}

/// Read, changed and written. The provisioner writes the status meanwhile, which is another version: then once more.
async fn replace(
    session: &Session,
    target: &Target,
    members: &Members<'_>,
) -> Result<(Value, Vec<String>), Failure> {
    let mut tries = TRIES;
    loop {
        let before = target.get(&session.client, session.namespace()).await?;
        let hosts = hosts(&before, members)?;
        let patch = json!({
            "metadata": { "resourceVersion": before.pointer("/metadata/resourceVersion") },
            "spec": { "hosts": hosts },
        });
        let path = target::path(Kind::Cluster, &target::full_name(&before));
        match session.client.patch(&path, &patch).await {
            Ok(after) => return Ok((after, hosts)),
            Err(CallError::Refused(problem)) if problem.status == 409 && tries > 1 => tries -= 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// The hosts that the cluster names afterwards.
fn hosts(cluster: &Value, members: &Members<'_>) -> Result<Vec<String>, Failure> {
    let present = cluster.pointer("/spec/hosts").and_then(Value::as_array).into_iter().flatten();
    let mut all: Vec<String> = present.filter_map(Value::as_str).map(str::to_owned).collect();
    match members {
        Members::Join(new) => {
            let fresh: Vec<String> = new.iter().filter(|host| !all.contains(host)).cloned().collect();
            all.extend(fresh);
        }
        Members::Leave(old) => {
            if let Some(stranger) = old.iter().find(|host| !all.contains(host)) {
                let shown = cairn_domain::fact::plain(stranger, 80);
                let text = format!("the cluster does not name host {shown}");
                let next = if all.is_empty() {
                    "Its hosts come by their labels: change those, or its selector.".to_owned()
                } else {
                    format!("It names: {}. What comes by its selector goes by its labels.", all.join(", "))
                };
                return Err(Failure { code: 3, ..Failure::new(text, next) });
            }
            all.retain(|host| !old.contains(host));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_come_and_go_once() {
        let cluster = json!({"spec": {"hosts": ["a", "b"]}});
        let own = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert_eq!(hosts(&cluster, &Members::Join(&own(&["b", "c"]))).unwrap(), own(&["a", "b", "c"]));
        assert_eq!(hosts(&cluster, &Members::Leave(&own(&["b"]))).unwrap(), own(&["a"]));
        let failure = hosts(&cluster, &Members::Leave(&own(&["z"]))).unwrap_err();
        assert!(failure.text.contains("host z") && failure.next.contains("a, b"), "{failure:?}");
        let failure = hosts(&json!({}), &Members::Leave(&own(&["z"]))).unwrap_err();
        assert!(failure.next.contains("labels"), "{failure:?}");
    }
}
