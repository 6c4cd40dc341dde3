//! `GET /access/can`: whether the caller may do something, by the same check that every request meets.

use axum::extract::State;
use cairn_domain::{
    access::{Decision, Place},
    model::{Kind, Namespace, Verb},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{app::App, auth::Caller, json::Params, problem::Problem, route::Route};

/// What is asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Question {
    /// Such as `update`.
    verb: Verb,
    /// Such as `Host`.
    kind: Kind,
    /// Where; absent: the whole appliance.
    #[serde(default)]
    namespace: Namespace,
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
struct Answer {
    /// Whether it would be allowed everywhere in the namespace. Of a namespace that does not exist, or that the caller may
    /// not see, it is not.
    allowed: bool,
}

/// Its route.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/access/can", can)
            .tag("identity")
            .summary("Ask whether one may do something")
            .query::<Question>()
            .gives::<Answer>(200, "Yes or no"),
    ]
}

async fn can(
    State(app): State<App>,
    caller: Caller,
    Params(question): Params<Question>,
) -> Result<axum::Json<Answer>, Problem> {
    let Question { verb, kind, namespace } = question;
    let decision = app.view(&caller, |view| view.sight.decide(verb, kind, Place::In(&namespace)));
    Ok(axum::Json(Answer { allowed: decision == Decision::Allowed }))
}
