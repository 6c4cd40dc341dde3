//! `cairn deploy`: makes or changes a Deployment, or says what it would reach.

use cairn_domain::{
    model::{API_VERSION, Kind},
    selector::Selector,
};
use serde_json::{Value, json};

use super::{apply, parameters, project, status};
use crate::{
    Context,
    args::{Deploy, TargetWord},
    exit::Failure,
    verbs::apply::Run,
};

/// `cairn deploy`
pub(super) async fn run(cx: &mut Context, args: &Deploy) -> Result<(), Failure> {
    let session = cx.session()?;
    let namespace = project(&session, "a deployment")?;
    let wanted = (args.package.as_str(), args.version.as_deref());
    let package = parameters::package(&session, wanted, &namespace).await?;
    let object = deployment(args, &package, &namespace)?;
    if args.dry_run {
        let preview: Value = session.client.post("/api/v1/deployments/preview", Some(&object)).await?;
        return status::preview(cx, &preview);
    }
    apply(cx, &session, &object, Run::Real).await?;
    if cx.output.is_text() {
        cx.line(&format!("How far it is: cairn deployment status {} -w", args.name))?;
    }
    Ok(())
}

fn deployment(args: &Deploy, package: &Value, namespace: &str) -> Result<Value, Failure> {
    let mut targets = json!({ "kind": kind(args, package) });
    if let Some(text) = &args.selector {
        targets["selector"] = selector(text)?;
    } else {
        targets["names"] = json!(args.to);
    }
    let mut spec = json!({ "package": args.package, "targets": targets });
    let parameters = parameters::parameters(package, &args.set, &args.secrets)?;
    if !parameters.is_empty() {
        spec["parameters"] = Value::Object(parameters);
    }
    for (key, value) in [("version", &args.version), ("profile", &args.profile)] {
        if let Some(value) = value {
            spec[key] = value.as_str().into();
        }
    }
    if !args.batches.is_empty() {
        spec["rollout"]["batches"] = json!(args.batches);
    }
    if let Some(percent) = args.success {
        spec["rollout"]["successPercent"] = percent.into();
    }
    Ok(json!({ "apiVersion": API_VERSION, "kind": Kind::Deployment.name(),
        "metadata": { "name": args.name, "namespace": namespace }, "spec": spec }))
}

/// A selector of the command line, as resources write it.
pub(super) fn selector(text: &str) -> Result<Value, Failure> {
    let parsed: Selector = text.parse().map_err(|e: cairn_domain::selector::SelectorError| {
        Failure::usage(
            format!("the selector is not understood: {e}"),
            "Write it as role=till,tier in (a,b),!old",
        )
    })?;
    serde_json::to_value(parsed).map_err(|e| Failure::new(format!("cannot write the selector: {e}"), ""))
}

/// Containers are for hosts; what holds anything of Kubernetes is for clusters. Virtual machines go to either: hosts, if nobody
/// says.
fn kind(args: &Deploy, package: &Value) -> &'static str {
    match args.kind {
        Some(TargetWord::Cluster) => "cluster",
        Some(TargetWord::Host) => "host",
        None => {
            let all = package.pointer("/spec/applications").and_then(Value::as_array).into_iter().flatten();
            let of = |a: &Value, word: &str| a.pointer(&format!("/source/{word}")).is_some();
            let mut all = all.map(|a| ["manifests", "kustomize", "helm"].iter().any(|word| of(a, word)));
            if all.any(|kubernetes| kubernetes) { "cluster" } else { "host" }
        }
    }
}
