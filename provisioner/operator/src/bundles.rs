//! `POST /bundles`: streams a file to [`Uploads`](crate::Uploads), bounded in size, in time between chunks and in number.

use std::sync::Arc;

use axum::extract::{Request, State};
use cairn_domain::model::{Kind as Resource, Verb};
use schemars::SchemaGenerator;

use crate::{
    app::App,
    appliance,
    auth::Caller,
    problem::{Kind, Problem},
    route::{Optional, Route},
    stream,
    uploads::{Added, UploadError},
};

/// Its routes.
pub(crate) fn routes() -> Vec<Route> {
    let bytes =
        Arc::new(|_: &mut SchemaGenerator| schemars::json_schema!({ "type": "string", "format": "binary" }));
    vec![
        Route::post("/bundles", add)
            .tag("images")
            .summary("Add an OS image or an installer from a bundle")
            .slow()
            .takes_as("application/octet-stream", bytes, Optional::No)
            .gives::<Added>(200, "It is checked and kept"),
    ]
}

/// Takes one bundle; answers when it is checked and kept.
pub(crate) async fn add(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> Result<axum::Json<Added>, Problem> {
    appliance::allow(&app, &caller, Verb::Create, Resource::OsImage).await?;
    let (chunks, end) = stream::begin(&app, &request.headers().clone(), request.into_body())?;
    let result = app.bundles.add(chunks).await;
    match result {
        Ok(added) => Ok(axum::Json(added)),
        Err(e) => Err(end.problem().unwrap_or_else(|| problem(&e))),
    }
}

fn problem(error: &UploadError) -> Problem {
    let detail = format!("{error}.");
    match error {
        UploadError::Malformed(_) => {
            Problem::new(Kind::Invalid, detail, "Bundles end in .cairn and are made by: cargo xtask image")
        }
        UploadError::Conflict(_) => Problem::new(Kind::Conflict, detail, "See what is there: cairn image ls"),
        UploadError::Broken(_) => Problem::new(Kind::Invalid, detail, "Send it again."),
        UploadError::NoSpace => {
            Problem::new(Kind::NoSpace, detail, "Make room in the data folder, then send it again.")
        }
        UploadError::Failed(_) => Problem::internal(error),
    }
}
