//! Timelines, page by page.

use axum::extract::{Path, State};
use cairn_domain::timeline::Entry;

use crate::{
    app::App,
    hosts::find,
    json::Params,
    page::{Cursor, page},
    problem::Problem,
    view::Page,
};

/// `GET /hosts/{host}/timeline`
pub(crate) async fn host(
    State(app): State<App>,
    Path(host): Path<String>,
    Params(cursor): Params<Cursor>,
) -> Result<axum::Json<Page<Entry>>, Problem> {
    let (limit, after) = (cursor.limit()?, cursor.seq()?);
    let host = find(&app, &host).await?;
    let entries = app.store.timeline(host.id, after, limit).await.map_err(|e| Problem::internal(&e))?;
    Ok(axum::Json(page(entries, limit, |e| e.seq.to_string())))
}

/// `GET /timeline`: the site's own.
pub(crate) async fn site(
    State(app): State<App>,
    Params(cursor): Params<Cursor>,
) -> Result<axum::Json<Page<Entry>>, Problem> {
    let (limit, after) = (cursor.limit()?, cursor.seq()?);
    let entries = app.store.site_timeline(after, limit).await.map_err(|e| Problem::internal(&e))?;
    Ok(axum::Json(page(entries, limit, |e| e.seq.to_string())))
}
