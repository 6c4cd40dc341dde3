//! What people and services ask about themselves, and the passwords of users. Users, roles and tokens themselves are resources
//! like all others.

mod password;
mod whoami;

use crate::{problem::Kind, route::Route};
use password::NewPassword;
use whoami::WhoAmI;

/// For the router and its document.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/whoami", whoami::show)
            .tag("identity")
            .summary("Show who one is, and which roles one has where")
            .gives::<WhoAmI>(200, "The caller"),
        Route::post("/users/{key}/password", password::set)
            .tag("identity")
            .summary("Set a user's password: one's own with the old one, another's with the right \"secret\" on that user")
            .takes::<NewPassword>()
            .empty(204, "It is set; the user's other sessions have ended")
            .problems(&[
                Kind::NotFound,
                Kind::Forbidden,
                Kind::Unauthorized,
                Kind::TooMany,
                Kind::Conflict,
                Kind::Unavailable,
            ]),
    ]
}
