//! Hosts: list, read, register, amend, remove, and the three orders.

use axum::{
    extract::{FromRequest as _, Path, Request, State},
    response::{IntoResponse, Response},
};
use cairn_contract::HostId;
use cairn_domain::{Host, HostSpec};
use cairn_store::Order;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    app::App,
    json::{Json, Params, refuse},
    order,
    page::{Cursor, page},
    problem::{Kind, Problem},
    view::{HostDetail, HostRow, Page},
};

/// `GET /hosts`
pub(crate) async fn list(
    State(app): State<App>,
    Params(cursor): Params<Cursor>,
) -> Result<axum::Json<Page<HostRow>>, Problem> {
    let limit = cursor.limit()?;
    let hosts = app.store.hosts(cursor.key(), limit).await.map_err(|e| Problem::internal(&e))?;
    let rows = hosts.iter().map(HostRow::from).collect();
    Ok(axum::Json(page(rows, limit, |row| row.name.clone())))
}

/// `POST /hosts`
pub(crate) async fn register(
    State(app): State<App>,
    Json(spec): Json<HostSpec>,
) -> Result<Response, Problem> {
    let name = spec.name.clone();
    let host = app.reporter.order(Order::Register(spec)).await.map_err(|e| order::refused(&e, &name))?;
    let location = HeaderValue::from_str(&format!("/api/v1/hosts/{}", host.id));
    let mut response = (StatusCode::CREATED, axum::Json(HostDetail::from(host))).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// `GET /hosts/{host}`
pub(crate) async fn show(
    State(app): State<App>,
    Path(host): Path<String>,
) -> Result<axum::Json<HostDetail>, Problem> {
    Ok(axum::Json(find(&app, &host).await?.into()))
}

/// `PATCH /hosts/{host}`: a merge patch of the spec (RFC 7396); null takes a field back.
pub(crate) async fn amend(
    State(app): State<App>,
    Path(host): Path<String>,
    Json(patch): Json<Value>,
) -> Result<axum::Json<HostDetail>, Problem> {
    let host = find(&app, &host).await?;
    if !patch.is_object() {
        return Err(Problem::new(Kind::Invalid, "A patch is a JSON object.", "Send the fields to change."));
    }
    let mut spec = serde_json::to_value(&host.spec).map_err(|e| Problem::internal(&e))?;
    merge(&mut spec, patch);
    let spec = serde_json::from_value(spec).map_err(|e| refuse(&e.to_string()))?;
    give(&app, Order::Update { id: host.id, spec }, &host.spec.name).await
}

/// `DELETE /hosts/{host}`
pub(crate) async fn remove(State(app): State<App>, Path(host): Path<String>) -> Result<StatusCode, Problem> {
    let host = find(&app, &host).await?;
    give(&app, Order::Remove(host.id), &host.spec.name).await.map(|_| StatusCode::NO_CONTENT)
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Accept {
    name: Option<String>,
}

/// `POST /hosts/{host}/accept`, with `{"name": ...}` or without a body.
pub(crate) async fn accept(
    State(app): State<App>,
    Path(host): Path<String>,
    request: Request,
) -> Result<axum::Json<HostDetail>, Problem> {
    let host = find(&app, &host).await?;
    let Accept { name } = match request.headers().contains_key(header::CONTENT_TYPE) {
        true => Json::<Accept>::from_request(request, &()).await?.0,
        false => Accept::default(),
    };
    give(&app, Order::Accept { id: host.id, name }, &host.spec.name).await
}

/// `POST /hosts/{host}/retry`
pub(crate) async fn retry(
    State(app): State<App>,
    Path(host): Path<String>,
) -> Result<axum::Json<HostDetail>, Problem> {
    let host = find(&app, &host).await?;
    give(&app, Order::Retry(host.id), &host.spec.name).await
}

/// `POST /hosts/{host}/reinstall`
pub(crate) async fn reinstall(
    State(app): State<App>,
    Path(host): Path<String>,
) -> Result<axum::Json<HostDetail>, Problem> {
    let host = find(&app, &host).await?;
    give(&app, Order::Reinstall(host.id), &host.spec.name).await
}

async fn give(app: &App, order: Order, name: &str) -> Result<axum::Json<HostDetail>, Problem> {
    let host = app.reporter.order(order).await.map_err(|e| order::refused(&e, name))?;
    Ok(axum::Json(host.into()))
}

/// The host of this id, else of this name.
pub(crate) async fn find(app: &App, key: &str) -> Result<Host, Problem> {
    if let Ok(id) = key.parse::<HostId>()
        && let Some(host) = app.store.host(id).await.map_err(|e| Problem::internal(&e))?
    {
        return Ok(host);
    }
    let host = app.store.host_by_name(key).await.map_err(|e| Problem::internal(&e))?;
    host.ok_or_else(|| {
        let detail = format!("There is no host {}.", cairn_domain::fact::plain(key, 80));
        Problem::new(Kind::NotFound, detail, "See which there are: cairn host ls")
    })
}

/// RFC 7396 §2.
fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                match value {
                    // The field's default; a field that is not one is refused later.
                    Value::Null if target.contains_key(&key) => drop(target.remove(&key)),
                    value => merge(target.entry(key).or_insert(Value::Null), value),
                }
            }
        }
        (target, patch) => *target = patch,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_and_null_takes_back() {
        let mut spec = json!({"name": "a", "serial": "S", "disk": {"serial": "D", "min_size": 1}});
        merge(&mut spec, json!({"serial": null, "disk": {"min_size": 2}}));
        assert_eq!(spec, json!({"name": "a", "disk": {"serial": "D", "min_size": 2}}));
    }
}
