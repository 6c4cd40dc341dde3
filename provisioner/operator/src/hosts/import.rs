//! `POST /hosts/import`: a CSV of hosts, line by line; each line is made so as `apply` would.

use axum::{
    extract::{Request, State},
    response::Response,
};
use cairn_domain::{
    access,
    import::{self, Entry, LineError, Report},
    index::Index,
    model::{API_VERSION, DiskFields, HostFields, Kind, Manifest, ManifestMetadata, Namespace, Object},
};
use cairn_store::{Run, Trail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    app::{App, View},
    auth::Caller,
    json::{self, Params},
    problem::{self, Problem, sentence},
    refusal::{self, Attempt},
    replay,
    resources::{
        self,
        write::{Done, Frame},
    },
    respond,
    route::{self, Optional, Route},
};

/// The query.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ImportQuery {
    /// Check everything, write nothing.
    dry_run: Option<bool>,
    /// The project of lines that name none.
    namespace: Option<String>,
}

/// What came of a file.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Imported {
    /// In the order of the file.
    lines: Vec<ImportedLine>,
    summary: Summary,
    /// The lines that failed, with what is wrong: to be corrected and sent again. Absent: none failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_file: Option<String>,
}

/// What came of a line.
#[derive(Debug, Serialize, JsonSchema)]
struct ImportedLine {
    /// Its number in the file.
    line: u64,
    /// The host; empty where the line was not understood.
    name: String,
    action: Action,
    warnings: Vec<String>,
    errors: Vec<String>,
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

/// How many lines of each.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Summary {
    created: u64,
    configured: u64,
    unchanged: u64,
    failed: u64,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/hosts/import", import)
            .tag("hosts")
            .summary("Register the hosts of a CSV file")
            .slow()
            .query::<ImportQuery>()
            .header(
                replay::KEY,
                "Makes the request safe to repeat: the same key gets the same answer for a day.",
            )
            .takes_as("text/csv", route::text(), Optional::No)
            .gives::<Imported>(200, "What came of each line")
            .problems(&[problem::Kind::KeyReused]),
    ]
}

async fn import(
    State(app): State<App>,
    caller: Caller,
    Params(query): Params<ImportQuery>,
    request: Request,
) -> Result<Response, Problem> {
    json::object(request.headers(), &["text/csv"])?;
    let home = resources::namespace(query.namespace.as_deref())?;
    let bytes = json::read(request.into_body(), import::MAX_BYTES).await?;
    let mut report = import::read(&bytes).map_err(|e| {
        let next =
            "Correct its first line. Columns: name, serial, uuid, mac, ek, site, image, labels, project.";
        Problem::new(problem::Kind::Invalid, sentence(&e.to_string()), next)
    })?;
    drop(bytes);
    let run = resources::run(query.dry_run);
    let mut work = Work {
        app: &app,
        caller: &caller,
        home: home.unwrap_or_else(|| Namespace::project("default", "default")),
        scratch: (run == Run::Check).then(|| app.read(resources::copy_of)),
        run,
    };
    let imported = work.all(&mut report).await;
    respond::json(&imported)
}

struct Work<'a> {
    app: &'a App,
    caller: &'a Caller,
    /// Where lines go that do not say.
    home: Namespace,
    /// The tree of a dry run, with what the lines before would have made.
    scratch: Option<Index>,
    run: Run,
}

impl Work<'_> {
    async fn all(&mut self, report: &mut Report) -> Imported {
        let mut lines = Vec::with_capacity(report.lines.len());
        let mut summary = Summary::default();
        for line in &mut report.lines {
            let action = match &line.outcome {
                Ok(entry) => match self.one(entry).await {
                    Ok(action) => action,
                    Err(problem) => {
                        let told = (entry.name.clone(), said(entry));
                        line.outcome = Err(errors(&problem));
                        lines.push(shown(line.number, told, Action::Failed, &line.outcome));
                        summary.failed = summary.failed.saturating_add(1);
                        continue;
                    }
                },
                Err(_) => Action::Failed,
            };
            summary.count(action);
            let told = line.outcome.as_ref().map(|e| (e.name.clone(), said(e))).unwrap_or_default();
            lines.push(shown(line.number, told, action, &line.outcome));
        }
        let error_file = (report.failed() > 0).then(|| import::error_file(report));
        Imported { lines, summary, error_file }
    }

    async fn one(&mut self, entry: &Entry) -> Result<Action, Problem> {
        let manifest = manifest(entry, &self.home)?;
        let frame = Frame { app: self.app, caller: self.caller, run: self.run, trail: Trail::default() };
        let plan = |view: &View<'_>| resources::apply_plan(view, &manifest, None);
        let done = match &mut self.scratch {
            None => frame.carry_out(plan).await,
            Some(scratch) => imagine(&frame, scratch, self.caller, plan).await,
        };
        match done {
            Ok(done) => Ok(action(&done)),
            Err(problem) => {
                let attempt = Attempt { verb: "import", kind: Some(Kind::Host), name: &entry.name };
                Err(refusal::note(self.app, self.caller, attempt, problem).await)
            }
        }
    }
}

async fn imagine(
    frame: &Frame<'_>,
    scratch: &mut Index,
    caller: &Caller,
    plan: impl Fn(&View<'_>) -> Result<resources::write::Plan, Problem>,
) -> Result<Done, Problem> {
    let planned = {
        let grants = access::grants(scratch, &caller.principal);
        let sight = grants.over(scratch);
        plan(&View { index: scratch, grants: &grants, sight })?
    };
    let done = frame.imagine(planned).await?;
    if let Some(object) = &done.after {
        scratch.put(Object::clone(object));
    }
    Ok(done)
}

impl Summary {
    fn count(&mut self, action: Action) {
        let place = match action {
            Action::Created => &mut self.created,
            Action::Configured => &mut self.configured,
            Action::Unchanged => &mut self.unchanged,
            Action::Failed => &mut self.failed,
        };
        *place = place.saturating_add(1);
    }
}

fn action(done: &Done) -> Action {
    match (&done.before, &done.after) {
        (None, _) => Action::Created,
        (Some(before), Some(after)) if before == after => Action::Unchanged,
        (Some(_), _) => Action::Configured,
    }
}

fn manifest(entry: &Entry, home: &Namespace) -> Result<Manifest, Problem> {
    let namespace = match (&entry.project, home) {
        (None, home) => home.clone(),
        (Some(project), _) if project.contains('.') => parse(project)?,
        (Some(project), Namespace::Organisation(organisation) | Namespace::Project { organisation, .. }) => {
            parse(&format!("{project}.{organisation}"))?
        }
        (Some(project), Namespace::Appliance) => parse(&format!("{project}.default"))?,
    };
    let spec = HostFields {
        site: entry.site.clone(),
        serial: entry.serial.clone(),
        uuid: entry.uuid.clone(),
        macs: entry.macs.clone(),
        ek: entry.ek,
        image: entry.image.clone(),
        disk: DiskFields::default(),
        settings: Default::default(),
    };
    Ok(Manifest {
        api_version: API_VERSION.to_owned(),
        kind: Kind::Host,
        metadata: ManifestMetadata {
            name: entry.name.clone(),
            namespace: Some(namespace),
            labels: entry.labels.clone(),
            annotations: entry.annotations.clone(),
            ..ManifestMetadata::default()
        },
        spec: serde_json::to_value(spec).map_err(|e| Problem::internal(&e))?,
        status: Value::Null,
    })
}

fn parse(text: &str) -> Result<Namespace, Problem> {
    text.parse().map_err(|e: cairn_domain::model::NamespaceError| {
        Problem::new(problem::Kind::Invalid, sentence(&e.to_string()), "Correct the column of the project.")
    })
}

fn errors(problem: &Problem) -> Vec<LineError> {
    let one = |message: &str, next: &str| {
        LineError::Refused(format!("{} {next}", sentence(message)).trim().to_owned())
    };
    if problem.errors.is_empty() {
        return vec![one(&problem.detail, &problem.next)];
    }
    problem.errors.iter().map(|e| one(&format!("{}: {}", e.field, e.message), &e.next)).collect()
}

fn said(entry: &Entry) -> Vec<String> {
    entry.warnings.iter().map(ToString::to_string).collect()
}

fn shown(
    number: usize,
    (name, warnings): (String, Vec<String>),
    action: Action,
    outcome: &Result<Entry, Vec<LineError>>,
) -> ImportedLine {
    let errors = outcome.as_ref().err().into_iter().flatten().map(ToString::to_string).collect();
    ImportedLine { line: u64::try_from(number).unwrap_or(u64::MAX), name, action, warnings, errors }
}
