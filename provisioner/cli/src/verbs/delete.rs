//! `cairn delete`.

use serde_json::json;

use super::apply::Run;
use crate::{
    CallError, Context,
    args::Delete,
    context::Session,
    exit::Failure,
    files::{self, Depth},
    show::diff,
    target::{self, Target, with_query},
};

/// One resource to delete: its address and its name for people.
struct Doomed {
    target: Target,
    key: String,
    shown: String,
}

/// `cairn delete`
pub(crate) async fn run(cx: &mut Context, args: &Delete) -> Result<(), Failure> {
    let session = cx.session()?;
    let from_files = !args.files.is_empty();
    let doomed = if from_files { of_files(&session, args)? } else { of_words(&session, args).await? };
    let run = Run::of(args.dry_run);
    if run == Run::Real && !args.yes {
        cx.confirm_on_terminal(&format!("Delete {}?", all(&doomed)))?;
    }
    let mut answers = Vec::new();
    for one in &doomed {
        let path = with_query(&target::path(one.target.kind, &one.key), &[run.parameter()]);
        let answer = match session.client.delete(&path).await {
            // A file says what there may be; what is gone is as wanted.
            Err(CallError::Refused(problem)) if problem.status == 404 && from_files => {
                cx.say(&format!("{} was not there", one.shown));
                continue;
            }
            answer => answer?,
        };
        if cx.output.is_text() {
            cx.line(&format!("{} deleted{}", one.shown, run.suffix()))?;
            if run == Run::Dry {
                diff::changes(&answer, &cx.words()).iter().try_for_each(|line| cx.line(line))?;
                diff::affected(&answer).iter().try_for_each(|line| cx.line(line))?;
            }
        }
        answers.push(json!({ "action": "deleted", "name": one.shown, "answer": answer }));
    }
    cx.value(&json!({ "items": answers })).map(drop)
}

/// Up to three by name.
fn all(doomed: &[Doomed]) -> String {
    let names: Vec<&str> = doomed.iter().take(3).map(|d| d.shown.as_str()).collect();
    match doomed.len().saturating_sub(names.len()) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// Children before parents.
fn of_files(session: &Session, args: &Delete) -> Result<Vec<Doomed>, Failure> {
    let mut manifests = files::read(&args.files, Depth::of(args.recursive), session.namespace())?;
    manifests.reverse();
    let each = manifests.into_iter().map(|m| Doomed {
        key: target::full_name(&m.value),
        shown: target::kind_and_name(&m.value),
        target: Target { kind: m.kind, name: target::full_name(&m.value) },
    });
    Ok(each.collect())
}

/// All must be there before the first is deleted.
async fn of_words(session: &Session, args: &Delete) -> Result<Vec<Doomed>, Failure> {
    let mut out = Vec::new();
    for target in target::targets(&args.words)? {
        let object = target.get(&session.client, session.namespace()).await?;
        let key = target::full_name(&object);
        out.push(Doomed { target, key, shown: target::kind_and_name(&object) });
    }
    Ok(out)
}
