//! One operation: parameters, body, answers, and every problem that can come.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value, json};

use super::schemas::{Schemas, properties};
use crate::{
    problem::{Kind, Problem},
    route::{self, Answer, Door, Optional, Pace, Route},
};

pub(super) fn describe(route: &Route, schemas: &mut Schemas) -> Value {
    let operation = &route.operation;
    let mut out = json!({
        "operationId": route::operation_id(&route.method, &route.path),
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": parameters(route),
        "responses": responses(route, schemas),
        "security": match route.door {
            Door::Closed => json!([{ "bearer": [] }, { "session": [] }]),
            Door::Open => json!([]),
        },
    });
    if let Some(body) = &operation.body {
        let content: Map<String, Value> = body
            .contents
            .iter()
            .map(|(name, schema)| ((*name).to_owned(), json!({ "schema": schemas.taken(schema) })))
            .collect();
        out["requestBody"] = json!({ "required": body.optional == Optional::No, "content": content });
    }
    out
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|p| p.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> = in_path
        .map(|name| {
            let schema = json!({ "type": "string", "minLength": 1 });
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect();
    for (name, mut schema, required) in route.operation.query.iter().flat_map(properties) {
        let about = schema.as_object_mut().and_then(|s| s.remove("description")).unwrap_or_default();
        all.push(json!({ "name": name, "in": "query", "required": required, "description": about, "schema": schema }));
    }
    for (name, about) in &route.operation.headers {
        // What a header can carry at all.
        let schema = json!({ "type": "string", "pattern": "^[!-~]{1,128}$" });
        all.push(json!({ "name": name, "in": "header", "required": false, "description": about, "schema": schema }));
    }
    all
}

fn responses(route: &Route, schemas: &mut Schemas) -> Map<String, Value> {
    let mut all = Map::new();
    for answer in &route.operation.answers {
        let response = success(answer, schemas);
        match all.get_mut(&answer.status.to_string()) {
            // One status, several content types.
            Some(Value::Object(there)) => {
                let (more, known) =
                    (response["content"].clone(), there.entry("content").or_insert(json!({})));
                if let (Value::Object(known), Value::Object(more)) = (known, more) {
                    known.extend(more);
                }
            }
            Some(_) | None => drop(all.insert(answer.status.to_string(), response)),
        }
    }
    let mut by_status: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
    for kind in problems(route) {
        by_status.entry(kind.status()).or_default().push(kind.title());
    }
    let problem = schemas.given(&route::describe::<Problem>());
    for (status, titles) in by_status {
        let mut response = json!({
            "description": titles.join("; or: "),
            "content": { "application/problem+json": { "schema": problem } },
        });
        // A page for people beside the problem for programs.
        if let Some(Value::Object(page)) = all.get(&status.to_string()).and_then(|a| a.get("content")) {
            for (name, content) in page {
                response["content"][name] = content.clone();
            }
        }
        let header = match status {
            401 => Some("WWW-Authenticate"),
            429 => Some("Retry-After"),
            _ => None,
        };
        if let Some(header) = header {
            response["headers"] = json!({ header: { "schema": { "type": "string" } } });
        }
        all.insert(status.to_string(), response);
    }
    all
}

fn success(answer: &Answer, schemas: &mut Schemas) -> Value {
    let mut response = json!({ "description": answer.about });
    if let Some((content, schema)) = &answer.content {
        response["content"] = json!({ *content: { "schema": schemas.given(schema) } });
    }
    if !answer.headers.is_empty() {
        let header = |name: &&str| ((*name).to_owned(), json!({ "schema": { "type": "string" } }));
        response["headers"] = Value::Object(answer.headers.iter().map(header).collect());
    }
    if !answer.links.is_empty() {
        let link = |(id, pointer): &(String, &str)| {
            let key = format!("$response.body#{pointer}");
            (id.clone(), json!({ "operationId": id, "parameters": { "key": key } }))
        };
        response["links"] = Value::Object(answer.links.iter().map(link).collect());
    }
    response
}

/// All that can come, by what the route has.
fn problems(route: &Route) -> impl Iterator<Item = Kind> {
    let mut all = route.operation.problems.clone();
    all.extend([Kind::Malformed, Kind::TooMany, Kind::Internal, Kind::Unavailable]);
    if route.door == Door::Closed {
        all.extend([Kind::Unauthorized, Kind::Forbidden]);
    }
    if route.pace == Pace::Quick {
        all.insert(Kind::TooSlow);
    }
    if route.operation.query.is_some() || !route.operation.headers.is_empty() {
        all.extend([Kind::Invalid, Kind::UnknownField]);
    }
    if route.path.contains('{') {
        all.insert(Kind::NotFound);
    }
    if route.operation.body.is_some() {
        all.extend([Kind::TooLarge, Kind::WrongType, Kind::Invalid, Kind::UnknownField]);
    }
    if !matches!(route.method, Method::GET | Method::HEAD) {
        all.extend([Kind::ForeignOrigin, Kind::NoSpace, Kind::Conflict]);
    }
    all.into_iter()
}
