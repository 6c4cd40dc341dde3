//! When an open stream must end because its caller may no longer be heard: user disabled or deleted, session or token ended.
//!
//! Four looks a second at the index, which is memory: other provisioners' changes reach it within half a second. The database is
//! asked when a session ended here, and else a few times a minute. That rights became fewer is for whoever sends events
//! ([`cairn_domain::access::changes_grants`]).

use std::time::Duration;

use super::{
    caller::{Caller, Credential},
    credential,
};
use crate::app::App;

/// Between two looks at the index.
const LOOK: Duration = Duration::from_millis(250);
/// Looks until the database is asked: 15 s.
const ASK_EVERY: u32 = 60;

/// Done when the caller's credential is no longer good. For `take_until` of a stream.
pub(crate) async fn revoked(app: App, caller: Caller) {
    let mut ended = app.auth.ended.subscribe();
    let mut looks = 0_u32;
    loop {
        let told = tokio::select! {
            told = ended.changed() => told.is_ok(),
            () = tokio::time::sleep(LOOK) => false,
        };
        looks = looks.wrapping_add(1);
        if !is_known(&app, &caller.credential) {
            return;
        }
        if (told || looks.is_multiple_of(ASK_EVERY)) && !is_stored(&app, &caller.credential).await {
            return;
        }
    }
}

/// By memory alone.
fn is_known(app: &App, credential: &Credential) -> bool {
    match credential {
        Credential::Local => true,
        Credential::Session { user, until, .. } => {
            app.auth.now() < *until && credential::is_welcome(app, *user)
        }
        Credential::Service { uid, .. } => credential::is_in_force(app, *uid),
        Credential::Cluster { holder, until, .. } => {
            app.auth.now() < *until && super::cluster::holder(app, *holder).is_some()
        }
    }
}

/// By the database; one that does not answer ends nothing. An open stream is a use of its session.
async fn is_stored(app: &App, credential: &Credential) -> bool {
    match credential {
        Credential::Local => true,
        Credential::Session { sha256, .. } => match app.store.session(sha256).await {
            Ok(Some(row)) if credential::is_open(app, &row, app.auth.now()) => {
                credential::touch_session(app, &row, app.auth.now()).await;
                true
            }
            Ok(_) => false,
            Err(_) => true,
        },
        Credential::Cluster { sha256, .. } => !matches!(app.store.session(sha256).await, Ok(None)),
        Credential::Service { sha256, .. } => !matches!(app.store.service_token(sha256).await, Ok(None)),
    }
}
