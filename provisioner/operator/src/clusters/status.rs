//! A problem as Kubernetes clients read it: a `Status` (apimachinery, meta/v1).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::problem::Problem;

/// kubectl shows its message.
pub(super) fn response(problem: &Problem) -> Response {
    let reason = match problem.status {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        _ => "Unknown",
    };
    let next = if problem.next.is_empty() { String::new() } else { format!(" {}", problem.next) };
    let mut status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": format!("{}{next}", problem.detail), "reason": reason, "code": problem.status,
    });
    if let Some(seconds) = problem.retry_after {
        status["details"] = json!({ "retryAfterSeconds": seconds });
    }
    let code = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (code, status.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // kubectl asks again by itself where it is told when: only for what passes soon.
    if let (Some(seconds), 429) = (problem.retry_after, problem.status) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
