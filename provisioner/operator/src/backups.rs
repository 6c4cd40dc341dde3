//! `/backups`: a copy of the whole site, its keys included, on the provisioner's own disk. Whoever has it is the site, so making
//! one takes the right "secret" at the appliance. What a backup is, the server knows ([`Backups`]); nothing of it is sent.

use axum::extract::State;
use cairn_domain::{
    audit::Actor,
    model::{Kind as Resource, Verb},
};
use futures_util::future::BoxFuture;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    appliance,
    auth::Caller,
    json::Json,
    problem::{Kind, Problem, sentence},
    route::Route,
};

/// A backup that is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// Its name: that of its folder.
    pub name: String,
    /// The folder, on the provisioner.
    pub path: String,
    /// RFC 3339: everything in it is as of then.
    pub created: String,
    /// Rows of all tables.
    pub rows: u64,
    /// Artifacts of images and installers.
    pub blobs: u64,
    /// The newest resource version in it.
    pub revision: i64,
}

/// What to make.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBackup {
    /// Name of its folder; absent: the time of day.
    #[serde(default)]
    name: Option<String>,
}

/// All that are complete.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BackupList {
    /// The newest first.
    items: Vec<Backup>,
}

/// Why there is no backup. `Display` is a sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BackupsError {
    /// The name is none.
    #[error("{0:?} is no name: a-z, 0-9 and '-'")]
    Name(String),
    /// One of that name is there.
    #[error("there is a backup {0:?} already")]
    Exists(String),
    /// Another one is being made.
    #[error("another backup is being made")]
    UnderWay,
    /// No room.
    #[error("the disk of the provisioner is full")]
    NoSpace,
    /// The disk or the store failed.
    #[error("the backup could not be made")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Makes and finds backups.
pub trait Backups: Send + Sync {
    /// Makes one while everything goes on, and notes it in the audit log as `by`'s. Not complete: not there.
    fn make(&self, name: Option<String>, by: Actor) -> BoxFuture<'_, Result<Backup, BackupsError>>;

    /// All that are complete, the newest first.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Backup>, BackupsError>>;
}

/// Its routes.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/backups", make)
            .tag("backups")
            .summary("Back up the whole site with its keys, into a folder on the provisioner")
            .slow()
            .takes::<NewBackup>()
            .gives::<Backup>(201, "It is complete")
            .problems(&[Kind::Forbidden, Kind::Invalid, Kind::Conflict, Kind::NoSpace, Kind::WrongState]),
        Route::get("/backups", list)
            .tag("backups")
            .summary("List the backups on the provisioner, the newest first")
            .gives::<BackupList>(200, "All that are complete")
            .problems(&[Kind::Forbidden, Kind::WrongState]),
    ]
}

async fn make(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewBackup>,
) -> Result<(StatusCode, axum::Json<Backup>), Problem> {
    appliance::allow(&app, &caller, Verb::Secret, Resource::Organisation).await?;
    let made = backups(&app)?.make(new.name, caller.actor).await.map_err(|e| problem(&e))?;
    Ok((StatusCode::CREATED, axum::Json(made)))
}

async fn list(State(app): State<App>, caller: Caller) -> Result<axum::Json<BackupList>, Problem> {
    appliance::allow(&app, &caller, Verb::Secret, Resource::Organisation).await?;
    let items = backups(&app)?.list().await.map_err(|e| problem(&e))?;
    Ok(axum::Json(BackupList { items }))
}

fn backups(app: &App) -> Result<&dyn Backups, Problem> {
    let next = "Run it with `cairn serve`.";
    let none = || Problem::new(Kind::WrongState, "This server keeps no backups.", next);
    app.backups.as_deref().ok_or_else(none)
}

fn problem(error: &BackupsError) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        BackupsError::Name(_) => Problem::new(Kind::Invalid, detail, "Such as: before-upgrade").at("name"),
        BackupsError::Exists(_) => {
            Problem::new(Kind::Conflict, detail, "Choose another name, or none.").at("name")
        }
        BackupsError::UnderWay => {
            Problem::new(Kind::Conflict, detail, "Try again when it is done: cairn backup ls").after(10)
        }
        BackupsError::NoSpace => {
            let next = "Make room where the data folder is (df); old backups are in its folder backups.";
            Problem::new(Kind::NoSpace, detail, next)
        }
        BackupsError::Failed(_) => Problem::internal(error),
    }
}
