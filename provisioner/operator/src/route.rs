//! One route: method, path, handler, and what the OpenAPI document says of it. Router and document are made from the same
//! list ([`crate::api`]), so neither can know of a route that the other does not.
//!
//! Each module that has routes gives them as `routes() -> Vec<Route>`.

use std::{collections::BTreeSet, fmt, sync::Arc};

use axum::{
    handler::Handler,
    routing::{self, MethodRouter},
};
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::{app::App, problem::Kind};

/// Makes the schema of a body.
pub(crate) type Describe = Arc<dyn Fn(&mut SchemaGenerator) -> Schema + Send + Sync>;

/// Who may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Whoever the gate knows.
    Closed,
    /// Everybody: to log in.
    Open,
}

/// How long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As long as [`Limits::request`](crate::Limits::request).
    Quick,
    /// It keeps its own time: a stream or an upload.
    Slow,
}

/// One method of one path below `/api/v1`.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) handler: MethodRouter<App>,
    pub(crate) door: Door,
    pub(crate) pace: Pace,
    pub(crate) operation: Operation,
}

/// What the document says.
#[derive(Default)]
pub(crate) struct Operation {
    pub(crate) tag: &'static str,
    pub(crate) summary: String,
    /// An object whose properties are the query's parameters.
    pub(crate) query: Option<Describe>,
    /// Request headers: name, what it means.
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: Option<Body>,
    pub(crate) answers: Vec<Answer>,
    /// Beyond those of every route.
    pub(crate) problems: BTreeSet<Kind>,
}

/// What a route takes.
pub(crate) struct Body {
    pub(crate) optional: Optional,
    /// By content type.
    pub(crate) contents: Vec<(&'static str, Describe)>,
}

/// Whether a body may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Optional {
    /// It may.
    Yes,
    /// It may not.
    No,
}

/// What a route gives when all is well.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) about: String,
    pub(crate) content: Option<(&'static str, Describe)>,
    /// Response headers.
    pub(crate) headers: Vec<&'static str>,
    /// Operations that can go on with it: name of the operation, JSON pointer in the body to its `key`.
    pub(crate) links: Vec<(String, &'static str)>,
}

impl Route {
    /// A `GET`.
    pub(crate) fn get<H: Handler<T, App>, T: 'static>(path: impl Into<String>, handler: H) -> Self {
        Self::new(Method::GET, path, routing::get(handler))
    }

    /// A `POST`.
    pub(crate) fn post<H: Handler<T, App>, T: 'static>(path: impl Into<String>, handler: H) -> Self {
        Self::new(Method::POST, path, routing::post(handler))
    }

    /// A `PUT`.
    pub(crate) fn put<H: Handler<T, App>, T: 'static>(path: impl Into<String>, handler: H) -> Self {
        Self::new(Method::PUT, path, routing::put(handler))
    }

    /// A `PATCH`.
    pub(crate) fn patch<H: Handler<T, App>, T: 'static>(path: impl Into<String>, handler: H) -> Self {
        Self::new(Method::PATCH, path, routing::patch(handler))
    }

    /// A `DELETE`.
    pub(crate) fn delete<H: Handler<T, App>, T: 'static>(path: impl Into<String>, handler: H) -> Self {
        Self::new(Method::DELETE, path, routing::delete(handler))
    }

    fn new(method: Method, path: impl Into<String>, handler: MethodRouter<App>) -> Self {
        let (door, pace) = (Door::Closed, Pace::Quick);
        Self { method, path: path.into(), handler, door, pace, operation: Operation::default() }
    }

    /// The group that it is shown in.
    pub(crate) fn tag(mut self, tag: &'static str) -> Self {
        self.operation.tag = tag;
        self
    }

    /// What it does, as a short sentence without full stop.
    pub(crate) fn summary(mut self, summary: impl Into<String>) -> Self {
        self.operation.summary = summary.into();
        self
    }

    /// Nobody needs to be known for it.
    pub(crate) fn open(mut self) -> Self {
        self.door = Door::Open;
        self
    }

    /// It keeps its own time.
    pub(crate) fn slow(mut self) -> Self {
        self.pace = Pace::Slow;
        self
    }

    /// Its query: each property of `Q` is a parameter.
    pub(crate) fn query<Q: JsonSchema + 'static>(mut self) -> Self {
        self.operation.query = Some(describe::<Q>());
        self
    }

    /// A request header.
    pub(crate) fn header(mut self, name: &'static str, about: &'static str) -> Self {
        self.operation.headers.push((name, about));
        self
    }

    /// A JSON body.
    pub(crate) fn takes<B: JsonSchema + 'static>(self) -> Self {
        self.takes_as("application/json", describe::<B>(), Optional::No)
    }

    /// A body of that content type; asked several times, any of them.
    pub(crate) fn takes_as(mut self, content: &'static str, schema: Describe, optional: Optional) -> Self {
        let body = self.operation.body.get_or_insert(Body { optional, contents: Vec::new() });
        body.contents.push((content, schema));
        self
    }

    /// A JSON answer.
    pub(crate) fn gives<A: JsonSchema + 'static>(self, status: u16, about: impl Into<String>) -> Self {
        self.gives_as(status, about, Some(("application/json", describe::<A>())))
    }

    /// An answer without a body.
    pub(crate) fn empty(self, status: u16, about: impl Into<String>) -> Self {
        self.gives_as(status, about, None)
    }

    /// An answer of that content type.
    pub(crate) fn gives_as(
        mut self,
        status: u16,
        about: impl Into<String>,
        content: Option<(&'static str, Describe)>,
    ) -> Self {
        let answer = Answer { status, about: about.into(), content, headers: Vec::new(), links: Vec::new() };
        self.operation.answers.push(answer);
        self
    }

    /// A header of the last answer.
    pub(crate) fn with(mut self, header: &'static str) -> Self {
        if let Some(answer) = self.operation.answers.last_mut() {
            answer.headers.push(header);
        }
        self
    }

    /// The last answer's body names at `pointer` the `key` of `method path`.
    pub(crate) fn leads_to(mut self, method: &Method, path: &str, pointer: &'static str) -> Self {
        if let Some(answer) = self.operation.answers.last_mut() {
            answer.links.push((operation_id(method, path), pointer));
        }
        self
    }

    /// Problems that it may answer, beyond those of every route.
    pub(crate) fn problems(mut self, kinds: &[Kind]) -> Self {
        self.operation.problems.extend(kinds);
        self
    }
}

/// `GET /hosts/{key}` is `getHostsByKey`.
pub(crate) fn operation_id(method: &Method, path: &str) -> String {
    let mut id = method.as_str().to_lowercase();
    for part in path.split('/').filter(|p| !p.is_empty()) {
        let (by, word) = match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
            Some(name) => ("By", name),
            None => ("", part),
        };
        id.push_str(by);
        for word in word.split(['.', '-', '_']) {
            let mut chars = word.chars();
            id.extend(chars.next().into_iter().flat_map(char::to_uppercase).chain(chars));
        }
    }
    id
}

/// The schema of a type.
pub(crate) fn describe<T: JsonSchema + 'static>() -> Describe {
    Arc::new(SchemaGenerator::subschema_for::<T>)
}

/// One event of a `text/event-stream`.
pub(crate) fn event() -> Describe {
    Arc::new(|_| {
        schemars::json_schema!({
            "type": "object",
            "properties": {
                "event": { "type": "string" },
                "id": { "type": "string" },
                "data": { "type": "string" },
            },
        })
    })
}

/// A text, such as CSV.
pub(crate) fn text() -> Describe {
    Arc::new(|_| schemars::json_schema!({ "type": "string" }))
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}
