//! Short lists: machines that are no host, images, installers; and taking an installer out of use.

use axum::extract::{Path, State};
use cairn_domain::{
    Fact, Level, Note, Subject,
    fact::plain,
    model::{Kind as Resource, Verb},
};
use cairn_store::RetireError;
use http::StatusCode;

use crate::{
    app::App,
    appliance,
    auth::Caller,
    json::Params,
    page::{Cursor, MAX_LIMIT, cut},
    problem::{Kind, Problem},
    route::Route,
    view::{ImageRow, InstallerRow, Machine, Page},
};

/// Most addresses that the store keeps, and a little.
pub(crate) const MACHINES: u32 = 2 * MAX_LIMIT;

/// Its routes.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/machines", machines)
            .tag("hosts")
            .summary("List machines that knocked and are no host, the last heard first")
            .query::<Cursor>()
            .gives::<Page<Machine>>(200, "Machines"),
        Route::get("/images", images)
            .tag("images")
            .summary("List OS images with their versions")
            .query::<Cursor>()
            .gives::<Page<ImageRow>>(200, "Images"),
        Route::get("/installers", installers)
            .tag("images")
            .summary("List installers, the newest first")
            .query::<Cursor>()
            .gives::<Page<InstallerRow>>(200, "Installers"),
        Route::delete("/installers/{name}/{version}", retire_installer)
            .tag("images")
            .summary("Take an installer out of use")
            .empty(204, "It is not served any more")
            .problems(&[Kind::WrongState]),
    ]
}

/// `GET /machines`: the last heard first.
pub(crate) async fn machines(
    State(app): State<App>,
    caller: Caller,
    Params(cursor): Params<Cursor>,
) -> Result<axum::Json<Page<Machine>>, Problem> {
    appliance::allow(&app, &caller, Verb::Get, Resource::Host).await?;
    let all = app.store.unknown_machines(MACHINES).await.map_err(|e| Problem::internal(&e))?;
    let all = all.into_iter().map(Machine::from).collect();
    Ok(axum::Json(cut(all, &cursor, |m: &Machine| m.mac.to_string())?))
}

/// `GET /images`: by name, the newest version first.
pub(crate) async fn images(
    State(app): State<App>,
    caller: Caller,
    Params(cursor): Params<Cursor>,
) -> Result<axum::Json<Page<ImageRow>>, Problem> {
    appliance::known(&app, &caller)?;
    let all = app.store.images().await.map_err(|e| Problem::internal(&e))?;
    let all = all.into_iter().map(ImageRow::from).collect();
    Ok(axum::Json(cut(all, &cursor, |i: &ImageRow| format!("{}@{}", i.name, i.version))?))
}

/// `GET /installers`: the newest first, without retired ones.
pub(crate) async fn installers(
    State(app): State<App>,
    caller: Caller,
    Params(cursor): Params<Cursor>,
) -> Result<axum::Json<Page<InstallerRow>>, Problem> {
    appliance::known(&app, &caller)?;
    let all = app.store.installers().await.map_err(|e| Problem::internal(&e))?;
    let all = all.into_iter().map(InstallerRow::from).collect();
    Ok(axum::Json(cut(all, &cursor, |i: &InstallerRow| format!("{}@{}", i.name, i.version))?))
}

/// `DELETE /installers/{name}/{version}`: evidence that names it is refused from now on; what it installed stays.
pub(crate) async fn retire_installer(
    State(app): State<App>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    appliance::allow(&app, &caller, Verb::Delete, Resource::OsImage).await?;
    let named = format!("installer {} {}", plain(&name, 80), plain(&version, 80));
    app.store.retire_installer(&name, &version).await.map_err(|error| match error {
        RetireError::NotFound => Problem::new(
            Kind::NotFound,
            format!("There is no {named}."),
            "See which there are: cairn installer ls",
        ),
        RetireError::Active => Problem::new(
            Kind::WrongState,
            format!("The {named} is served to machines that boot now."),
            "Add another first: cairn installer add FILE",
        ),
        RetireError::Write(_) => Problem::internal(&error),
    })?;
    let note = Note::new(Level::Info, "installer.retired", format!("an operator retired {named}"));
    app.reporter.observe(Fact { subject: Subject::Site, event: None, note: Some(note) });
    Ok(StatusCode::NO_CONTENT)
}
