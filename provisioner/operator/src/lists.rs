//! Short lists: machines that are no host, images, installers.

use axum::extract::State;

use crate::{
    app::App,
    json::Params,
    page::{Cursor, MAX_LIMIT, cut},
    problem::Problem,
    view::{ImageRow, InstallerRow, Machine, Page},
};

/// Most addresses that the store keeps, and a little.
pub(crate) const MACHINES: u32 = 2 * MAX_LIMIT;

/// `GET /machines`: the last heard first.
pub(crate) async fn machines(
    State(app): State<App>,
    Params(cursor): Params<Cursor>,
) -> Result<axum::Json<Page<Machine>>, Problem> {
    let all = app.store.unknown_machines(MACHINES).await.map_err(|e| Problem::internal(&e))?;
    let all = all.into_iter().map(Machine::from).collect();
    Ok(axum::Json(cut(all, &cursor, |m: &Machine| m.mac.to_string())?))
}

/// `GET /images`: by name, the newest version first.
pub(crate) async fn images(
    State(app): State<App>,
    Params(cursor): Params<Cursor>,
) -> Result<axum::Json<Page<ImageRow>>, Problem> {
    let all = app.store.images().await.map_err(|e| Problem::internal(&e))?;
    let all = all.into_iter().map(ImageRow::from).collect();
    Ok(axum::Json(cut(all, &cursor, |i: &ImageRow| format!("{}@{}", i.name, i.version))?))
}

/// `GET /installers`: the newest first, without retired ones.
pub(crate) async fn installers(
    State(app): State<App>,
    Params(cursor): Params<Cursor>,
) -> Result<axum::Json<Page<InstallerRow>>, Problem> {
    let all = app.store.installers().await.map_err(|e| Problem::internal(&e))?;
    let all = all.into_iter().map(InstallerRow::from).collect();
    Ok(axum::Json(cut(all, &cursor, |i: &InstallerRow| format!("{}@{}", i.name, i.version))?))
}
