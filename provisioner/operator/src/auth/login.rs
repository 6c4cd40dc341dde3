//! Exchanges the token for a browser session, and ends it.

use axum::{
    extract::{FromRequest, Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use tokio::time::Instant;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{
    gate::{COOKIE, check_token, cookie, same_origin, source},
    session::LIFETIME,
};
use crate::{
    app::App,
    json::Json,
    problem::{Kind, Problem},
};

#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Login {
    token: String,
}

/// `POST /api/v1/session {"token": ...}`: 204 and the cookie. Needs the Origin too, so that no site logs a browser in.
pub(crate) async fn log_in(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    same_origin(request.headers(), request.uri())?;
    let source = source(&request);
    let Json(login) = Json::<Login>::from_request(request, &()).await?;
    check_token(&app, source, &login.token)?;
    let id =
        app.auth.sessions().open(Instant::now()).ok_or_else(|| {
            Problem::new(Kind::Internal, "No session could be made.", "Try again in a moment.")
        })?;
    let seconds = LIFETIME.as_secs();
    let value =
        format!("{COOKIE}={}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Strict", id.as_str());
    Ok(with_cookie(&value))
}

/// `DELETE /api/v1/session`.
pub(crate) async fn log_out(State(app): State<App>, headers: HeaderMap) -> Response {
    if let Some(id) = cookie(&headers) {
        app.auth.sessions().close(id);
    }
    with_cookie(&format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"))
}

fn with_cookie(value: &str) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(mut value) = HeaderValue::from_str(value) {
        value.set_sensitive(true);
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}
