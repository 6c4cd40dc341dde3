//! Timelines, page by page.

use axum::extract::State;
use cairn_domain::{model::Kind, timeline::Entry};
use schemars::JsonSchema;

use crate::{
    app::App,
    appliance,
    auth::Caller,
    json::Params,
    page::{Cursor, page},
    path::Key,
    problem::Problem,
    resources::find,
    route::Route,
    view::Page,
};

/// A line as it is shown: [`Entry`] flattened.
#[derive(Debug, JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct Line {
    /// Grows over the whole appliance.
    seq: i64,
    /// When, in milliseconds since 1970.
    at: i64,
    /// `debug`, `info`, `warn` or `bad`.
    level: String,
    /// Stable word for programs.
    code: String,
    /// Plain English.
    text: String,
    /// The phase that it led to, when it changed one.
    state: Option<String>,
}

/// Its routes.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/hosts/{key}/timeline", host)
            .tag("hosts")
            .summary("Read what happened to a host")
            .query::<Cursor>()
            .gives::<Page<Line>>(200, "Lines, the oldest first"),
        Route::get("/timeline", site)
            .tag("status")
            .summary("Read what happened to the appliance")
            .query::<Cursor>()
            .gives::<Page<Line>>(200, "Lines, the oldest first"),
    ]
}

/// `GET /hosts/{key}/timeline`
pub(crate) async fn host(
    State(app): State<App>,
    caller: Caller,
    Key(key): Key,
    Params(cursor): Params<Cursor>,
) -> Result<axum::Json<Page<Entry>>, Problem> {
    let (limit, after) = (cursor.limit()?, cursor.seq()?);
    let object = app.view(&caller, |view| find::find(view, Kind::Host, &key))?;
    let id = object.metadata.uid.into();
    let entries = app.store.timeline(id, after, limit).await.map_err(|e| Problem::internal(&e))?;
    Ok(axum::Json(page(entries, limit, |e| e.seq.to_string())))
}

/// `GET /timeline`: the site's own.
pub(crate) async fn site(
    State(app): State<App>,
    caller: Caller,
    Params(cursor): Params<Cursor>,
) -> Result<axum::Json<Page<Entry>>, Problem> {
    let (limit, after) = (cursor.limit()?, cursor.seq()?);
    appliance::reads(&app, &caller).await?;
    let entries = app.store.site_timeline(after, limit).await.map_err(|e| Problem::internal(&e))?;
    Ok(axum::Json(page(entries, limit, |e| e.seq.to_string())))
}
