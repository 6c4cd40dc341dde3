//! `cairn label` and `cairn annotate`.

use serde_json::Value;

use super::apply::Run;
use crate::{
    Context,
    args::Mark,
    exit::Failure,
    pairs::{self, Pair},
    show::diff,
    target::{self, text, with_query},
};

/// Tries against others who change the same resource.
const TRIES: usize = 5;

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Member {
    Labels,
    Annotations,
}

impl Member {
    fn name(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::Annotations => "annotations",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Labels => "labelled",
            Self::Annotations => "annotated",
        }
    }
}

/// Changes one member of all that is named.
pub(crate) async fn run(cx: &mut Context, args: &Mark, member: Member) -> Result<(), Failure> {
    let (names, pairs) = Pair::split(&args.words)?;
    if pairs.is_empty() {
        return Err(Failure::usage(
            "the command does not say what to change",
            "Add KEY=VALUE, or KEY- to remove one",
        ));
    }
    let session = cx.session()?;
    let run = Run::of(args.dry_run);
    for target in target::targets(names)? {
        let mut tries = 0;
        let changed = loop {
            tries += 1;
            let object = target.get(&session.client, session.namespace()).await?;
            let present = object.pointer(&format!("/metadata/{}", member.name()));
            if let (false, Some((key, old))) = (args.overwrite, pairs::taken(&pairs, present)) {
                let text = format!("{} has {key}={old} already", target::kind_and_name(&object));
                return Err(Failure { code: 4, ..Failure::new(text, "Replace it with --overwrite") });
            }
            let patch = pairs::patch(member.name(), &pairs, text(&object, "/metadata/resourceVersion"));
            let path =
                with_query(&target::path(target.kind, &target::full_name(&object)), &[run.parameter()]);
            match session.client.patch(&path, &patch).await {
                Err(crate::CallError::Refused(p)) if p.status == 409 && tries < TRIES => {}
                done => break done?,
            }
        };
        tell(cx, &changed, member, run)?;
    }
    Ok(())
}

/// A dry run answers as an item of an apply; a real one with the object.
fn tell(cx: &mut Context, answer: &Value, member: Member, run: Run) -> Result<(), Failure> {
    if cx.value(answer)? {
        return Ok(());
    }
    let object = answer.get("object").filter(|o| o.is_object()).unwrap_or(answer);
    let words = cx.words();
    cx.line(&format!("{} {}{}", target::kind_and_name(object), member.done(), run.suffix()))?;
    if run == Run::Dry {
        diff::changes(answer, &words).iter().try_for_each(|line| cx.line(line))?;
        diff::affected(answer).iter().try_for_each(|line| cx.line(line))?;
    }
    Ok(())
}
