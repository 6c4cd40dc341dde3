//! `cairn edit`: fetch, let a person change it, send the difference.
//!
//! Another's change of other fields meanwhile is kept; one of the same fields is a conflict. A text that was typed is never
//! lost: after a failure it stays in its file.

use std::{fs, io::Write as _, path::Path};

use serde_json::Value;

use crate::{
    CallError, Context, Problem,
    context::Session,
    editor,
    exit::Failure,
    merge,
    target::{self, Target, text},
    yaml,
};

/// Annotation of `apply`.
const LAST_APPLIED: &str = "cairn/last-applied";
/// Tries against others who change the same resource.
const TRIES: usize = 5;

/// `cairn edit`
pub(crate) async fn run(cx: &mut Context, words: &[String]) -> Result<(), Failure> {
    let targets = target::targets(words)?;
    let [target] = targets.as_slice() else {
        return Err(Failure::usage("one resource at a time", "cairn edit KIND NAME"));
    };
    let session = cx.session()?;
    let object = target.get(&session.client, session.namespace()).await?;
    let shown = without_status(&object);
    let file = Draft::new(&shown)?;
    let mut note = String::new();
    loop {
        let Some(edited) = file.edit(cx, &note)? else {
            drop(file.close());
            return cx.line("Nothing was changed.");
        };
        let wanted = match parse(&edited) {
            Ok(wanted) => wanted,
            Err(what) if note == what => return Err(file.keep(Failure::new(what, ""))),
            Err(what) => {
                note = what;
                continue;
            }
        };
        let patch = merge::patch(&shown, &wanted);
        if patch.as_object().is_some_and(serde_json::Map::is_empty) {
            drop(file.close());
            return cx.line("Nothing was changed.");
        }
        match send(&session, target, (&shown, &patch)).await {
            Ok(changed) => {
                drop(file.close());
                if cx.value(&changed)? {
                    return Ok(());
                }
                return cx.line(&format!("{} edited", target::kind_and_name(&changed)));
            }
            // The server's no is shown above the text; the same no again ends it.
            Err(Edit::Refused(problem)) if note != problem.text() => note = problem.text(),
            Err(Edit::Refused(problem)) => return Err(file.keep(Failure::refused(problem))),
            Err(Edit::Failed(failure)) => return Err(file.keep(failure)),
        }
    }
}

enum Edit {
    /// The text can be mended.
    Refused(Problem),
    Failed(Failure),
}

/// Sends the difference; takes another's change of other fields along.
async fn send(session: &Session, target: &Target, (base, patch): (&Value, &Value)) -> Result<Value, Edit> {
    let mut version = text(base, "/metadata/resourceVersion").to_owned();
    let key = target::full_name(base);
    for _ in 0..TRIES {
        let mut body = patch.clone();
        if !version.is_empty() {
            body["metadata"]["resourceVersion"] = version.as_str().into();
        }
        match session.client.patch(&target::path(target.kind, &key), &body).await {
            Ok(changed) => return Ok(changed),
            Err(CallError::Refused(problem)) if problem.status == 422 || problem.status == 400 => {
                return Err(Edit::Refused(*problem));
            }
            Err(CallError::Refused(problem)) if matches!(problem.status, 409 | 412) => {
                let latest = target.get(&session.client, session.namespace()).await.map_err(Edit::Failed)?;
                let mut theirs = merge::patch(base, &without_status(&latest));
                if let Some(Value::Object(metadata)) = theirs.get_mut("metadata") {
                    metadata.remove("resourceVersion");
                    metadata.remove("generation");
                }
                let same = text(&latest, "/metadata/resourceVersion") == version;
                if same || merge::overlap(patch, &theirs) {
                    return Err(Edit::Failed(Failure::refused(*problem)));
                }
                text(&latest, "/metadata/resourceVersion").clone_into(&mut version);
            }
            Err(e) => return Err(Edit::Failed(e.into())),
        }
    }
    Err(Edit::Failed(Failure { code: 4, ..Failure::new("others change it all the time", "Try again.") }))
}

fn without_status(object: &Value) -> Value {
    let mut out = object.clone();
    if let Value::Object(map) = &mut out {
        map.remove("status");
    }
    // What `apply` keeps there is nobody's to edit.
    if let Some(Value::Object(annotations)) = out.pointer_mut("/metadata/annotations") {
        annotations.remove(LAST_APPLIED);
    }
    out
}

fn parse(text: &str) -> Result<Value, String> {
    let documents = yaml::read(text.as_bytes()).map_err(|e| e.to_string())?;
    match documents.as_slice() {
        [one] if one.value.is_object() => Ok(one.value.clone()),
        _ => Err("one resource is wanted here, no more and no less".to_owned()),
    }
}

/// The file that is edited.
struct Draft {
    file: tempfile::NamedTempFile,
    /// As it was written first.
    first: String,
}

impl Draft {
    fn new(object: &Value) -> Result<Self, Failure> {
        let file = tempfile::Builder::new().prefix("cairn-edit-").suffix(".yaml").tempfile();
        let file = file.map_err(|e| Failure::new(format!("cannot make a temporary file: {e}"), ""))?;
        let mut draft = Self { file, first: yaml::write(object) };
        draft.write(&draft.first.clone())?;
        Ok(draft)
    }

    fn path(&self) -> &Path {
        self.file.path()
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        let whole = format!(
            "# Lines that begin with # do not count. Save and close to send; close without a change to stop.\n{text}"
        );
        // Editors may replace the file: by name, not by handle.
        let written = fs::File::create(self.path()).and_then(|mut f| f.write_all(whole.as_bytes()));
        written.map_err(|e| Failure::new(format!("cannot write {}: {e}", self.path().display()), ""))
    }

    /// Lets the person edit; `None` when the text is as it was at first. `note` is put above it.
    fn edit(&self, cx: &Context, note: &str) -> Result<Option<String>, Failure> {
        let before = self.read()?;
        if !note.is_empty() {
            let lines: Vec<String> =
                note.lines().map(|l| format!("#! {}", cairn_domain::fact::plain(l, 600))).collect();
            let kept = before.lines().filter(|l| !l.starts_with("#!")).collect::<Vec<_>>().join("\n");
            let text = format!("{}\n{kept}\n", lines.join("\n"));
            fs::write(self.path(), text)
                .map_err(|e| Failure::new(format!("cannot write {}: {e}", self.path().display()), ""))?;
        }
        editor::open(cx.environment.editor.as_deref(), self.path())?;
        let text = self.read()?;
        let body = |t: &str| {
            t.lines().filter(|l| !l.starts_with('#')).collect::<Vec<_>>().join("\n").trim().to_owned()
        };
        let text_body = body(&text);
        Ok((text_body != self.first.trim()).then_some(text))
    }

    fn read(&self) -> Result<String, Failure> {
        fs::read_to_string(self.path())
            .map_err(|e| Failure::new(format!("cannot read {}: {e}", self.path().display()), ""))
    }

    fn close(self) -> std::io::Result<()> {
        self.file.close()
    }

    /// Leaves the file where it is and says so.
    fn keep(self, mut failure: Failure) -> Failure {
        if let Ok((_, path)) = self.file.keep() {
            failure.next = format!("{} Your text is in {}", failure.next, path.display()).trim().to_owned();
        }
        failure
    }
}
