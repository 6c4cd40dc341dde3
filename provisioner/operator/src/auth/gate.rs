//! Lets a request through: by bearer token, or by session cookie and, when it changes something, by Origin.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use cairn_identity::{Token, TokenKind};

use super::{
    credential, nobody,
    peer::{COOKIE, Peer, bearer, cookie, same_origin},
};
use crate::{app::App, problem::Problem};

/// Middleware before every handler that reads or changes anything: puts the [`Caller`](super::Caller) into the request.
pub(crate) async fn require(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (headers, peer) = (request.headers(), Peer::of(request.extensions()));
    let caller = match (bearer(headers), cookie(headers, COOKIE)) {
        (Some(text), _) => credential::bearer(&app, peer, &text).await?,
        (None, Some(text)) => {
            if !request.method().is_safe() {
                same_origin(headers, request.uri())?;
            }
            let token = Token::parse(text.expose()).ok().filter(|t| t.kind() == TokenKind::Session);
            let token = token.ok_or_else(|| nobody("The session has ended."))?;
            credential::session(&app, peer, &token).await?
        }
        (None, None) => return Err(nobody("No token was presented.")),
    };
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}
