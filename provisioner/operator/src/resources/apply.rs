//! `POST /apply`: many descriptions at once, each made so by a three-way merge with what was applied last and what is there
//! now. Parents come before children, whatever order they were sent in; each one is all or nothing; one that fails stops only
//! those that cannot be without it.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{Request, State},
    response::Response,
};
use cairn_domain::{
    access, admit,
    index::Index,
    model::{Kind, Manifest, Namespace, Object},
};
use cairn_store::{Run, Trail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    affected::{self, Affected},
    diff::{self, Difference},
    merge,
    verbs::{affected as felt, described, namespace, run},
    write::{self, Done, Frame, Plan},
};
use crate::{
    app::{App, View},
    auth::Caller,
    json::{self, Unique},
    problem::{self, Problem},
    refusal::{self, Attempt},
    replay, respond,
    route::Route,
};

/// Annotation that keeps what was applied last.
const LAST: &str = "cairn/last-applied";
/// Most items.
const MOST: usize = 1000;
/// Most bytes of the body.
const MOST_BYTES: usize = 8 << 20;

/// What is sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sent {
    /// Manifests of any kinds, in any order: at most 1,000.
    #[schemars(length(max = 1000), with = "Vec<serde_json::Map<String, Value>>")]
    items: Vec<Value>,
    /// Where items go that do not say.
    #[serde(default)]
    namespace: Option<String>,
    /// Check everything, write nothing.
    #[serde(default)]
    dry_run: Option<bool>,
}

/// What came of it, in the order in which it was sent.
#[derive(Debug, Serialize, JsonSchema)]
struct Applied {
    items: Vec<Item>,
}

/// What came of one.
#[derive(Debug, Serialize, JsonSchema)]
struct Item {
    action: Action,
    /// As it is now, or would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Value>,
    /// What changed of one that was there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diff: Vec<Difference>,
    /// What hosts would feel of it; for dry runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    affected: Option<Affected>,
    /// Of a new service token; it is shown only here.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Action {
    Created,
    Configured,
    Unchanged,
    Failed,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/apply", apply)
            .tag("apply")
            .summary("Make many resources as they are described")
            .slow()
            .header(
                replay::KEY,
                "Makes the request safe to repeat: the same key gets the same answer for a day.",
            )
            .takes::<Sent>()
            .gives::<Applied>(200, "What came of each")
            .problems(&[problem::Kind::KeyReused]),
    ]
}

async fn apply(State(app): State<App>, caller: Caller, request: Request) -> Result<Response, Problem> {
    json::object(request.headers(), &["application/json"])?;
    let bytes = json::read(request.into_body(), MOST_BYTES).await?;
    let sent: Sent =
        serde_path_to_error::deserialize(Unique::parse(&bytes)?).map_err(|e| json::refuse(&e))?;
    drop(bytes);
    if sent.items.len() > MOST {
        let detail = format!("{} items are too many: at most {MOST} go into one request.", sent.items.len());
        return Err(Problem::new(problem::Kind::Invalid, detail, "Send them in several.").at("items"));
    }
    let work = Work {
        app: &app,
        caller: &caller,
        namespace: namespace(sent.namespace.as_deref())?,
        run: run(sent.dry_run),
    };
    let items = work.all(sent.items).await;
    let has_secret = items.iter().any(|item| item.secret.is_some());
    let mut response = respond::json(&Applied { items })?;
    if has_secret {
        response.extensions_mut().insert(replay::Secret);
    }
    Ok(response)
}

struct Work<'a> {
    app: &'a App,
    caller: &'a Caller,
    namespace: Option<Namespace>,
    run: Run,
}

impl Work<'_> {
    async fn all(&self, sent: Vec<Value>) -> Vec<Item> {
        let manifests = sent.iter().map(|v| admit::manifest(v).map_err(write::refused));
        let manifests: Vec<Result<Manifest, Problem>> = manifests.collect();
        let mut items: Vec<Option<Item>> = manifests.iter().map(|_| None).collect();
        // What a dry run makes is seen by those that come after it.
        let mut scratch = (self.run == Run::Check).then(|| self.app.read(affected::copy));
        for at in order(&manifests) {
            let done = match manifests.get(at) {
                Some(Ok(manifest)) => self.one(manifest, scratch.as_mut()).await,
                Some(Err(problem)) => Err(problem.clone()),
                None => continue,
            };
            if let Some(place) = items.get_mut(at) {
                *place = Some(done.unwrap_or_else(failed));
            }
        }
        items.into_iter().flatten().collect()
    }

    async fn one(&self, manifest: &Manifest, scratch: Option<&mut Index>) -> Result<Item, Problem> {
        let frame = Frame { app: self.app, caller: self.caller, run: self.run, trail: Trail::default() };
        let plan = |view: &View<'_>| plan(view, manifest, self.namespace.as_ref());
        let done = match scratch {
            None => frame.carry_out(plan).await,
            Some(scratch) => self.imagine(&frame, scratch, plan).await,
        };
        match done {
            Ok(done) => item(self.app, &done, self.run).await,
            Err(problem) => {
                let (kind, name) = (Some(manifest.kind), manifest.metadata.name.as_str());
                Err(refusal::note(self.app, self.caller, Attempt { verb: "apply", kind, name }, problem)
                    .await)
            }
        }
    }

    /// A dry run over the tree as the items before left it.
    async fn imagine(
        &self,
        frame: &Frame<'_>,
        scratch: &mut Index,
        plan: impl Fn(&View<'_>) -> Result<Plan, Problem>,
    ) -> Result<Done, Problem> {
        let planned = {
            let grants = access::grants(scratch, &self.caller.principal);
            let sight = grants.over(scratch);
            plan(&View { index: scratch, grants: &grants, sight })?
        };
        let done = frame.imagine(planned).await?;
        if let Some(object) = &done.after {
            scratch.put(Object::clone(object));
        }
        Ok(done)
    }
}

/// Parents first: by kind, regions by their depth among those that were sent.
fn order(manifests: &[Result<Manifest, Problem>]) -> Vec<usize> {
    let rank = |kind: Kind| Kind::ALL.iter().position(|k| *k == kind).unwrap_or(usize::MAX);
    let parents: HashMap<&str, &str> = manifests
        .iter()
        .flatten()
        .filter(|m| m.kind == Kind::Region)
        .filter_map(|m| Some((m.metadata.name.as_str(), m.spec.get("parent")?.as_str()?)))
        .collect();
    let depth = |manifest: &Manifest| {
        let first = parents.get(manifest.metadata.name.as_str()).copied();
        let above = std::iter::successors(first, |name| parents.get(name).copied());
        if manifest.kind == Kind::Region { above.take(manifests.len()).count() } else { 0 }
    };
    let mut order: Vec<usize> = (0..manifests.len()).collect();
    order.sort_by_key(|at| match manifests.get(*at) {
        Some(Ok(manifest)) => (rank(manifest.kind), depth(manifest), *at),
        Some(Err(_)) | None => (usize::MAX, 0, *at),
    });
    order
}

/// What makes it as it is described: a new one, or what is there with what changed since the last time.
pub(crate) fn plan(
    view: &View<'_>,
    manifest: &Manifest,
    request: Option<&Namespace>,
) -> Result<Plan, Problem> {
    let said = json!({
        "metadata": { "labels": manifest.metadata.labels, "annotations": manifest.metadata.annotations },
        "spec": if manifest.spec.is_null() { json!({}) } else { manifest.spec.clone() },
    });
    let mut next = manifest.clone();
    next.metadata.annotations.insert(LAST.to_owned(), said.to_string());
    let sent = manifest.metadata.namespace.as_ref();
    let place = admit::namespace_of(view.index, manifest.kind, sent, request);
    let found =
        place.ok().and_then(|n| view.index.named(manifest.kind, &n, &manifest.metadata.name).cloned());
    match found.filter(|object| view.sight.sees(object)) {
        None => write::create(view, &next, request),
        Some(current) => {
            let next = merged(&current, &next, &said)?;
            write::update(view, &current, &next)
        }
    }
}

/// What is there, with what changed between the last time and this one.
fn merged(current: &Object, next: &Manifest, said: &Value) -> Result<Manifest, Problem> {
    let live = described(current)?;
    let mut annotations = current.metadata.annotations.clone();
    let last = annotations.remove(LAST).and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let live = json!({
        "metadata": { "labels": live["metadata"]["labels"], "annotations": annotations },
        "spec": live["spec"],
    });
    let merged = merge::three_way(&live, &last.unwrap_or(Value::Null), said);
    let mut manifest = next.clone();
    let read = |value: &Value| serde_json::from_value(value.clone()).map_err(|e| Problem::internal(&e));
    manifest.metadata.labels = read(&merged["metadata"]["labels"])?;
    manifest.metadata.annotations = read(&merged["metadata"]["annotations"])?;
    manifest.metadata.annotations.insert(LAST.to_owned(), said.to_string());
    manifest.metadata.namespace = Some(current.metadata.namespace.clone());
    manifest.spec = merged["spec"].clone();
    Ok(manifest)
}

async fn item(app: &App, done: &Done, run: Run) -> Result<Item, Problem> {
    let action = match (&done.before, &done.after) {
        (None, _) => Action::Created,
        (Some(before), Some(after)) if Arc::ptr_eq(before, after) => Action::Unchanged,
        (Some(before), Some(after)) if before == after => Action::Unchanged,
        (Some(_), _) => Action::Configured,
    };
    let affected = if run == Run::Check { felt(app, done).await? } else { None };
    let diff = match (&done.before, &done.after) {
        (Some(before), Some(after)) => diff::diff(&comparable(before)?, &comparable(after)?),
        _ => Vec::new(),
    };
    let object = done.after.as_ref().map(|o| serde_json::to_value(o.as_ref())).transpose();
    let object = object.map_err(|e| Problem::internal(&e))?;
    let secret = done.secret.as_ref().map(|s| s.expose().to_owned());
    Ok(Item { action, object, diff, affected, secret, problem: None })
}

/// What people say of it.
fn comparable(object: &Object) -> Result<Value, Problem> {
    let mut annotations = object.metadata.annotations.clone();
    annotations.remove(LAST);
    let described = described(object)?;
    Ok(json!({
        "metadata": { "name": object.metadata.name, "namespace": object.metadata.namespace.to_string(),
                      "labels": object.metadata.labels, "annotations": annotations },
        "spec": described["spec"],
    }))
}

fn failed(problem: Problem) -> Item {
    let (action, diff) = (Action::Failed, Vec::new());
    Item { action, object: None, diff, affected: None, secret: None, problem: Some(problem) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(kind: &str, name: &str, spec: Value) -> Result<Manifest, Problem> {
        let value = json!({"apiVersion": "cairn/v1", "kind": kind, "metadata": {"name": name}, "spec": spec});
        admit::manifest(&value).map_err(write::refused)
    }

    #[test]
    fn parents_come_before_children_and_a_cycle_ends() {
        let all = [
            manifest("Host", "h", json!({})),
            manifest("Region", "c", json!({"parent": "b"})),
            manifest("Region", "b", json!({"parent": "a"})),
            manifest("Site", "s", json!({"region": "c"})),
            manifest("Region", "a", json!({})),
            manifest("Organisation", "o", json!({})),
        ];
        assert_eq!(order(&all), [5, 4, 2, 1, 3, 0]);
        let cycle = [
            manifest("Region", "a", json!({"parent": "b"})),
            manifest("Region", "b", json!({"parent": "a"})),
        ];
        assert_eq!(order(&cycle).len(), 2);
    }
}
