//! The routes of logging in and out.

use super::{
    login::{self, Login, Ways},
    oidc,
    session::{self, Exchange, LoginAnswer, SessionView},
};
use crate::{problem::Kind, route::Route};

/// For the router and its document.
pub(crate) fn routes() -> Vec<Route> {
    [sessions(), by_password(), by_browser(), by_device()].into_iter().flatten().collect()
}

fn sessions() -> Vec<Route> {
    vec![
        identity(Route::get("/session", session::show), "Show who is logged in, and for how long")
            .gives::<SessionView>(200, "The caller's login"),
        identity(Route::delete("/session", session::log_out), "Log out")
            .empty(204, "The session has ended")
            .problems(&[Kind::WrongState]),
        identity(
            Route::post("/session", session::exchange),
            "Exchange the local operator token for a browser's session",
        )
        .open()
        .takes::<Exchange>()
        .empty(204, "The cookie is set")
        .with("Set-Cookie")
        .problems(&[Kind::Unauthorized, Kind::ForeignOrigin, Kind::TooMany]),
    ]
}

fn by_password() -> Vec<Route> {
    vec![
        identity(Route::get("/login", login::ways), "Show how one can log in")
            .open()
            .gives::<Ways>(200, "The ways"),
        identity(
            Route::post("/login", login::log_in),
            "Log in with a name and a password, or a one-time code with both",
        )
        .open()
        .takes::<Login>()
        .gives::<LoginAnswer>(200, "A session; a browser gets it as a cookie")
        .problems(&[Kind::Unauthorized, Kind::ForeignOrigin, Kind::Conflict]),
    ]
}

fn by_browser() -> Vec<Route> {
    vec![
        identity(Route::get("/login/oidc", oidc::begin_browser), "Go to the organisation's login page")
            .open()
            .empty(303, "There")
            .with("Location")
            .with("Set-Cookie")
            .problems(&[Kind::NotFound]),
        identity(
            Route::get("/login/oidc/callback", oidc::callback),
            "Come back from the organisation's login page",
        )
        .open()
        .empty(303, "Logged in: to the console")
        .with("Location")
        .with("Set-Cookie")
        .problems(&REFUSALS),
    ]
}

fn by_device() -> Vec<Route> {
    vec![
        identity(
            Route::post("/login/device", oidc::begin_device),
            "Begin the login of a command line by a browser elsewhere",
        )
        .open()
        .gives::<oidc::DevicePrompt>(200, "What to show to the person")
        .problems(&[Kind::NotFound]),
        identity(
            Route::post("/login/device/{handle}", oidc::poll_device),
            "Ask whether the person has logged in",
        )
        .open()
        .gives::<LoginAnswer>(200, "A session")
        .gives::<oidc::Waiting>(202, "Not yet")
        .problems(&REFUSALS),
    ]
}

/// Of a login at an issuer.
const REFUSALS: [Kind; 5] =
    [Kind::NotFound, Kind::Unauthorized, Kind::Conflict, Kind::Forbidden, Kind::Invalid];

fn identity(route: Route, summary: &'static str) -> Route {
    route.tag("identity").summary(summary)
}
