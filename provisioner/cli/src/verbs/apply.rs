//! `cairn apply` and `cairn diff`: the server merges (last applied, present, wanted); this program says what it said.

use serde_json::{Value, json};

use crate::{
    Context,
    args::{Apply, Files},
    exit::Failure,
    files::{self, Depth, Manifest},
    show::diff,
    target,
};

/// Resources of one request.
const BATCH: usize = 1000;
/// Bytes of one request.
const BATCH_BYTES: usize = 6 << 20;

/// Whether a request changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    Real,
    Dry,
}

impl Run {
    pub(crate) fn of(dry: bool) -> Self {
        if dry { Self::Dry } else { Self::Real }
    }

    /// For a query.
    pub(crate) fn parameter(self) -> (&'static str, Option<&'static str>) {
        ("dryRun", (self == Self::Dry).then_some("true"))
    }

    pub(crate) fn suffix(self) -> &'static str {
        if self == Self::Dry { " (dry run)" } else { "" }
    }
}

/// `cairn apply`
pub(crate) async fn apply(cx: &mut Context, args: &Apply) -> Result<(), Failure> {
    let run = Run::of(args.dry_run);
    let (manifests, items) = send(cx, &args.files, Depth::of(args.recursive), run).await?;
    if !cx.value(&json!({ "items": items }))? {
        let words = cx.words();
        for (manifest, item) in manifests.iter().zip(&items) {
            cx.line(&diff::item(item, &name(manifest, item), run.suffix(), &words))?;
            let secret = target::text(item, "/secret");
            if !secret.is_empty() {
                cx.line(&format!("  its secret, shown only now: {secret}"))?;
            }
            if run == Run::Dry {
                diff::changes(item, &words).iter().try_for_each(|line| cx.line(line))?;
                diff::affected(item).iter().try_for_each(|line| cx.line(line))?;
            }
        }
    }
    outcome(&manifests, &items)
}

/// `cairn diff`
pub(crate) async fn diff(cx: &mut Context, args: &Files) -> Result<(), Failure> {
    let (manifests, items) = send(cx, &args.files, Depth::of(args.recursive), Run::Dry).await?;
    let differs = |item: &&Value| target::text(item, "/action") != "unchanged";
    if !cx.value(&json!({ "items": items }))? {
        let words = cx.words();
        for (manifest, item) in manifests.iter().zip(&items).filter(|(_, item)| differs(item)) {
            cx.line(&diff::item(item, &name(manifest, item), "", &words))?;
            diff::changes(item, &words).iter().try_for_each(|line| cx.line(line))?;
            diff::affected(item).iter().try_for_each(|line| cx.line(line))?;
        }
        if !items.iter().any(|i| differs(&i)) {
            cx.line("Nothing would change.")?;
        }
    }
    outcome(&manifests, &items)?;
    if args.exit_code && items.iter().any(|i| differs(&i)) { Err(Failure::silent(1)) } else { Ok(()) }
}

fn name(manifest: &Manifest, item: &Value) -> String {
    let object = item.get("object").filter(|o| o.is_object()).unwrap_or(&manifest.value);
    target::kind_and_name(object)
}

/// Sends all in requests that the server takes; the answers are in the order of the manifests.
async fn send(
    cx: &Context,
    paths: &[std::path::PathBuf],
    depth: Depth,
    run: Run,
) -> Result<(Vec<Manifest>, Vec<Value>), Failure> {
    let session = cx.session()?;
    let manifests = files::read(paths, depth, session.namespace())?;
    let mut answers = Vec::new();
    let mut rest = manifests.as_slice();
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(batch(rest));
        let items: Vec<&Value> = batch.iter().map(|m| &m.value).collect();
        let body = json!({ "items": items, "dryRun": run == Run::Dry });
        let answer: Value = session.client.post("/api/v1/apply", Some(&body)).await?;
        let mut items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        items.resize(batch.len(), json!({ "action": "unknown" }));
        answers.extend(items);
        rest = after;
    }
    Ok((manifests, answers))
}

/// How many of the next manifests go into one request: at least one.
fn batch(rest: &[Manifest]) -> usize {
    let mut bytes = 0;
    let fits = |m: &&Manifest| {
        bytes += m.value.to_string().len();
        bytes <= BATCH_BYTES
    };
    rest.iter().take(BATCH).take_while(fits).count().max(1)
}

fn outcome(manifests: &[Manifest], items: &[Value]) -> Result<(), Failure> {
    let failed: Vec<(&Manifest, &Value)> = manifests
        .iter()
        .zip(items)
        .filter(|(_, i)| matches!(target::text(i, "/action"), "failed" | "unknown"))
        .collect();
    let Some((first, item)) = failed.first() else { return Ok(()) };
    let problem =
        item.get("problem").filter(|p| p.is_object()).and_then(crate::Problem::of).unwrap_or_default();
    let text = match failed.len() {
        1 => format!("1 of {} failed: {}", items.len(), first.origin),
        n => format!("{n} of {} failed; the first: {}", items.len(), first.origin),
    };
    let next = "Mend it and apply again: what is as wanted stays unchanged.";
    Err(Failure { code: Failure::refused(problem).code, ..Failure::new(text, next) })
}

#[cfg(test)]
mod tests {
    use cairn_domain::model::Kind;

    use super::*;

    #[test]
    fn a_request_is_as_large_as_the_server_takes() {
        let one = |bytes: usize| Manifest {
            origin: String::new(),
            kind: Kind::Site,
            value: json!({ "x": "y".repeat(bytes) }),
        };
        assert_eq!(batch(&vec![one(10); 1700]), BATCH);
        assert_eq!(batch(&[one(4 << 20), one(4 << 20)]), 1);
        assert_eq!(batch(&[one(7 << 20), one(1)]), 1);
    }

    #[test]
    fn the_first_failure_gives_the_code() {
        let manifest =
            Manifest { origin: "f.yaml, document 1, line 1".into(), kind: Kind::Site, value: json!({}) };
        let failed = json!({"action": "failed", "problem": {"status": 409, "detail": "stale"}});
        let items = [json!({"action": "created"}), failed];
        let failure = outcome(&[manifest.clone(), manifest], &items).unwrap_err();
        assert_eq!((failure.code, failure.text.as_str()), (4, "1 of 2 failed: f.yaml, document 1, line 1"));
    }
}
