//! `GET /{plural}`: one page, from memory, serialised once.

use std::sync::Arc;

use axum::response::Response;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cairn_domain::{
    index::{FIELDS, Page, Query},
    model::{API_VERSION, Kind, Namespace, Object},
    selector::{FieldSelector, Selector},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    auth::Caller,
    page::MAX_LIMIT,
    problem::{self, Problem, sentence},
    respond,
};

/// Items of a page when nobody says.
const DEFAULT_LIMIT: u32 = 100;

/// What is listed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// An organisation or project, with all that lies in it; absent: everything.
    namespace: Option<String>,
    /// By effective labels, such as `env=prod,tier in (a,b)`.
    label_selector: Option<String>,
    /// By fields, such as `status.phase!=running`.
    field_selector: Option<String>,
    /// Items of one page.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
    /// From the page before.
    r#continue: Option<String>,
}

/// Which resources: the part of a query that lists and watches share.
#[derive(Debug, Default, Clone)]
pub(crate) struct Filter {
    pub(crate) within: Namespace,
    pub(crate) labels: Selector,
    pub(crate) fields: FieldSelector,
}

impl Filter {
    /// Reads the three texts.
    pub(crate) fn parse(
        namespace: Option<&str>,
        labels: Option<&str>,
        fields: Option<&str>,
    ) -> Result<Self, Problem> {
        let within = namespace.unwrap_or_default().parse().map_err(|e| invalid("namespace", &e))?;
        let labels = labels.unwrap_or_default().parse().map_err(|e| invalid("labelSelector", &e))?;
        let fields: FieldSelector =
            fields.unwrap_or_default().parse().map_err(|e| invalid("fieldSelector", &e))?;
        fields.check(&FIELDS).map_err(|e| invalid("fieldSelector", &e))?;
        Ok(Self { within, labels, fields })
    }
}

/// A parameter of a query that cannot be.
pub(crate) fn invalid(field: &str, error: &dyn std::error::Error) -> Problem {
    Problem::new(problem::Kind::Invalid, sentence(&error.to_string()), "Correct the query.").at(field)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    api_version: &'static str,
    kind: String,
    metadata: ListMeta,
    items: Vec<&'a Object>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListMeta {
    resource_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#continue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_item_count: Option<u64>,
}

/// One page.
pub(super) fn list(app: &App, caller: &Caller, kind: Kind, query: &ListQuery) -> Result<Response, Problem> {
    let filter = Filter::parse(
        query.namespace.as_deref(),
        query.label_selector.as_deref(),
        query.field_selector.as_deref(),
    )?;
    let limit = limit(query.limit)?;
    let after = query.r#continue.as_deref().map(Cursor::parse).transpose()?;
    let (page, revision) = app.view(caller, |view| {
        let query = Query {
            kind,
            within: &filter.within,
            labels: &filter.labels,
            fields: &filter.fields,
            after: after.as_ref().map(|a| (&a.namespace, a.name.as_str())),
            limit,
        };
        (view.index.list(&query, |object| view.sight.sees(object)), view.index.revision())
    });
    respond::json(&shown(kind, &page, revision))
}

fn shown(kind: Kind, page: &Page, revision: i64) -> List<'_> {
    let last = page.items.last().filter(|_| page.more);
    let metadata = ListMeta {
        resource_version: revision.to_string(),
        r#continue: last.map(|o| Cursor::of(o).text()),
        remaining_item_count: None,
    };
    let items = page.items.iter().map(Arc::as_ref).collect();
    List { api_version: API_VERSION, kind: format!("{kind}List"), metadata, items }
}

/// A page's size; refused outside of its bounds.
pub(crate) fn limit(given: Option<u32>) -> Result<usize, Problem> {
    match given.unwrap_or(DEFAULT_LIMIT) {
        n @ 1..=MAX_LIMIT => Ok(usize::try_from(n).unwrap_or(usize::MAX)),
        _ => {
            let detail = format!("limit goes from 1 to {MAX_LIMIT}.");
            Err(Problem::new(problem::Kind::Invalid, detail, "Ask for several pages.").at("limit"))
        }
    }
}

/// After which resource a page begins. It need not exist any more.
#[derive(Debug, PartialEq, Eq)]
struct Cursor {
    namespace: Namespace,
    name: String,
}

impl Cursor {
    fn of(object: &Object) -> Self {
        Self { namespace: object.metadata.namespace.clone(), name: object.metadata.name.clone() }
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("1/{}/{}", self.namespace, self.name))
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let read = || {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
            let (namespace, name) = text.strip_prefix("1/")?.split_once('/')?;
            Some(Self { namespace: namespace.parse().ok()?, name: name.to_owned() })
        };
        read().ok_or_else(|| {
            let detail = "This is no value of a metadata.continue.";
            Problem::new(problem::Kind::Invalid, detail, "Begin anew, without it.").at("continue")
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_cursor_is_read_or_refused(text: String) {
            let _ = Cursor::parse(&text);
            let _ = Cursor::parse(&URL_SAFE_NO_PAD.encode(text));
        }

        #[test]
        fn a_cursor_comes_back(name in "[a-z@.]{1,20}", project in "[a-z]{1,9}", organisation in "[a-z]{1,9}") {
            let cursor = Cursor { namespace: Namespace::project(project, organisation), name };
            prop_assert_eq!(Cursor::parse(&cursor.text()).unwrap(), cursor);
        }
    }
}
