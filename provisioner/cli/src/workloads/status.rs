//! `cairn deployment status`, `cairn cluster status`, and what `cairn deploy --dry-run` would reach.

use cairn_domain::model::Kind;
use serde_json::{Value, json};

use crate::{
    CallError, Context,
    client::Client,
    context::Session,
    exit::Failure,
    show::{progress, workloads as show},
    target::{self, Target, text, with_query},
    timeline,
    verbs::watch::{AGAIN, until_interrupted},
};

/// When it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    Shown,
    Ready,
}

impl Until {
    pub(super) fn of(watch: bool) -> Self {
        if watch { Self::Ready } else { Self::Shown }
    }
}

/// `status` of a deployment or cluster.
pub(super) async fn run(cx: &mut Context, (kind, name): (Kind, &str), until: Until) -> Result<(), Failure> {
    let session = cx.session()?;
    let target = Target { kind, name: name.to_owned() };
    let object = target.get(&session.client, session.namespace()).await?;
    if until == Until::Ready {
        return until_interrupted(follow(cx, &session, object)).await;
    }
    show(cx, &session, &object).await
}

async fn show(cx: &mut Context, session: &Session, object: &Value) -> Result<(), Failure> {
    let rows = rows(&session.client, object).await?;
    let part = if text(object, "/kind") == Kind::Cluster.name() { "nodes" } else { "targets" };
    if cx.value(&json!({ "object": object, part: rows }))? {
        return Ok(());
    }
    let words = cx.words();
    cx.line(&show::summary(object, &words))?;
    match part {
        "nodes" => cx.line(&show::nodes(&rows, &words)),
        _ => cx.line(&show::targets(&rows, &words)),
    }
}

/// Nodes of a cluster, targets of a deployment.
async fn rows(client: &Client, object: &Value) -> Result<Vec<Value>, Failure> {
    let cluster = text(object, "/kind") == Kind::Cluster.name();
    let (kind, part) = if cluster { (Kind::Cluster, "nodes") } else { (Kind::Deployment, "targets") };
    let path = format!("{}/{part}", target::path(kind, text(object, "/metadata/uid")));
    Ok(timeline::all(client, &path).await?)
}

/// Nodes of a cluster, for `describe`.
pub(crate) async fn nodes(client: &Client, object: &Value) -> Result<Vec<Value>, Failure> {
    rows(client, object).await
}

/// Targets of a deployment, for `describe`.
pub(crate) async fn targets(client: &Client, object: &Value) -> Result<Vec<Value>, Failure> {
    rows(client, object).await
}

/// One line for each change, until it is ready or has failed. The whole picture at the end.
async fn follow(cx: &mut Context, session: &Session, mut object: Value) -> Result<(), Failure> {
    let uid = text(&object, "/metadata/uid").to_owned();
    let plural =
        if text(&object, "/kind") == Kind::Cluster.name() { Kind::Cluster } else { Kind::Deployment };
    let fields = format!("metadata.uid={uid}");
    let base =
        with_query("/api/v1/watch", &[("kinds", Some(plural.plural())), ("fieldSelector", Some(&fields))]);
    let mut said = String::new();
    loop {
        tell(cx, &object, &mut said)?;
        if let Some(end) = end(&object) {
            return finish(cx, session, (&object, end)).await;
        }
        let version = text(&object, "/metadata/resourceVersion").to_owned();
        match next(session, &with_query(&base, &[("resourceVersion", Some(&version))])).await {
            Ok(Some(changed)) => object = changed,
            Ok(None) => return Err(Failure { code: 3, ..Failure::new("it was deleted", "") }),
            Err(CallError::Refused(problem)) if problem.status != 410 => {
                return Err(CallError::Refused(problem).into());
            }
            Err(_) => {
                tokio::time::sleep(AGAIN).await;
                object = session.client.get(&target::path(plural, &uid)).await?;
            }
        }
    }
}

/// The next state of the one resource that is watched; `None` when it is gone.
async fn next(session: &Session, path: &str) -> Result<Option<Value>, CallError> {
    let mut events = session.client.events(path).await?;
    while let Some(event) = events.next().await? {
        match event.name.as_str() {
            "ADDED" | "MODIFIED" => {
                return serde_json::from_str(&event.data).map(Some).map_err(CallError::Content);
            }
            "DELETED" => return Ok(None),
            _ => {}
        }
    }
    Err(CallError::Connection("the stream ended"))
}

fn tell(cx: &mut Context, object: &Value, said: &mut String) -> Result<(), Failure> {
    if cx.output.is_text() {
        let words = cx.words();
        let line = show::line(object, &words);
        if line != *said {
            cx.line(&line)?;
            *said = line;
        }
        return Ok(());
    }
    cx.streamed(object).map(drop)
}

/// How it ended, if it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Ready,
    Failed,
}

fn end(object: &Value) -> Option<End> {
    let number = |pointer| object.pointer(pointer).and_then(Value::as_i64);
    // A status of what was wanted before says nothing.
    let seen = number("/status/observedGeneration");
    if seen.is_some_and(|seen| Some(seen) < number("/metadata/generation")) {
        return None;
    }
    match progress::phase(object) {
        "Ready" => Some(End::Ready),
        "Failed" => Some(End::Failed),
        _ => None,
    }
}

async fn finish(cx: &mut Context, session: &Session, (object, end): (&Value, End)) -> Result<(), Failure> {
    if cx.output.is_text() && end == End::Failed {
        show(cx, session, object).await?;
    }
    match end {
        End::Ready => Ok(()),
        End::Failed => {
            Err(Failure::new(format!("{} failed", target::kind_and_name(object)), progress::why(object)))
        }
    }
}

/// What a deployment would reach.
pub(super) fn preview(cx: &mut Context, preview: &Value) -> Result<(), Failure> {
    if cx.value(preview)? {
        return Ok(());
    }
    let words = cx.words();
    cx.line(&show::preview(preview, &words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_of_the_generation_that_is_wanted() {
        let of = |ready: &str, failed: u64, generation: i64, seen: i64| {
            end(&json!({"metadata": {"generation": generation}, "status": {"observedGeneration": seen,
                "targets": {"total": 2, "failed": failed},
                "conditions": [{"type": "Ready", "status": ready}]}}))
        };
        assert_eq!(of("True", 0, 2, 2), Some(End::Ready));
        assert_eq!(of("True", 0, 3, 2), None);
        assert_eq!(of("False", 2, 2, 2), Some(End::Failed));
        assert_eq!(of("False", 1, 2, 2), None);
        assert_eq!(end(&json!({"spec": {}})), None);
    }
}
