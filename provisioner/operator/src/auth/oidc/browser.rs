//! The browser's way: to the issuer and back. A cookie binds the login to the browser that began it; it is `Lax`, because the
//! way back comes from the issuer's site, while the session's own cookie is `Strict`.

use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use cairn_identity::{
    Token, TokenKind,
    oidc::{Callback, Url},
};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use super::{BROWSER_S, failed, lock, person, provider, unreachable};
use crate::{
    app::App,
    auth::{
        peer::{Peer, cookie, host},
        session::set_cookie,
    },
    problem::{Kind, Problem, sentence},
};

const COOKIE: &str = "__Host-cairn-login";
const CALLBACK: &str = "/api/v1/login/oidc/callback";

/// `GET /login/oidc`: to the issuer.
pub(in crate::auth) async fn begin(
    State(app): State<App>,
    peer: Peer,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let provider = provider(&app)?;
    // The issuer goes only to addresses that are registered there, whatever `Host` says.
    let redirect =
        host(&headers, &uri).and_then(|host| Url::parse(&format!("https://{host}{CALLBACK}")).ok());
    let redirect = redirect.ok_or_else(|| {
        Problem::new(Kind::Malformed, "The request does not say to which host it goes.", "Use a browser.")
    })?;
    let now = app.auth.now();
    let begun = provider.begin(&redirect, now).await.map_err(|e| unreachable(&e))?;
    let token = lock(&app.auth.oidc.browsers).put(begun.pending, peer.ip(), now);
    let token = token.map_err(|e| Problem::internal(&e))?;
    let value =
        format!("{COOKIE}={}; Path=/; Max-Age={BROWSER_S}; HttpOnly; Secure; SameSite=Lax", token.expose());
    Ok((StatusCode::SEE_OTHER, [set_cookie(&value)?, location(begun.url.as_str())?]).into_response())
}

/// `GET /login/oidc/callback`: from the issuer, to the console.
pub(in crate::auth) async fn callback(
    State(app): State<App>,
    peer: Peer,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    match finish(&app, peer, &headers, query.as_deref().unwrap_or_default()).await {
        Ok(response) => response,
        Err(problem) if !wants_page(&headers) => problem.into_response(),
        // A person looks at this, in a browser.
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let text = format!("{}\n\n{}\n", problem.detail, problem.next);
            (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
        }
    }
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))
}

async fn finish(app: &App, peer: Peer, headers: &HeaderMap, query: &str) -> Result<Response, Problem> {
    let provider = provider(app)?;
    let now = app.auth.now();
    let token = cookie(headers, COOKIE).and_then(|text| Token::parse(text.expose()).ok());
    let token = token.filter(|token| token.kind() == TokenKind::Login);
    let pending = token.and_then(|token| lock(&app.auth.oidc.browsers).take(&token, now));
    let pending = pending.ok_or_else(|| {
        let detail = "This browser has no login under way, or it took longer than ten minutes.";
        Problem::new(Kind::Unauthorized, detail, "Start again from the console's login page.")
    })?;
    let callback = Callback::parse(query)
        .map_err(|e| Problem::new(Kind::Malformed, sentence(&e.to_string()), "Start again."))?;
    let person = match provider.finish(callback, pending, now).await {
        Ok(person) => person,
        Err(error) => return Err(failed(app, peer, &error).await),
    };
    let opened = person::log_in(app, peer, &person).await?;
    let gone = set_cookie(&format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"))?;
    let mut response = (StatusCode::SEE_OTHER, [location("/")?]).into_response();
    for (name, value) in [opened.cookie(app)?, gone] {
        response.headers_mut().append(name, value);
    }
    Ok(response)
}

fn location(url: &str) -> Result<(http::HeaderName, HeaderValue), Problem> {
    Ok((header::LOCATION, HeaderValue::from_str(url).map_err(|e| Problem::internal(&e))?))
}
