//! Lists of resources, page by page.

use cairn_domain::model::{Kind, Level};
use serde_json::{Value, json};

use crate::{
    client::Client,
    exit::Failure,
    target::{list_path, text, with_query},
};

/// Items of one page.
const PAGE: usize = 500;

/// Which of a kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    /// Absent: of all.
    pub(crate) namespace: Option<String>,
    pub(crate) labels: Option<String>,
    pub(crate) fields: Option<String>,
    /// At most so many.
    pub(crate) limit: Option<usize>,
}

/// What a list holds.
#[derive(Debug, Default)]
pub(crate) struct List {
    pub(crate) items: Vec<Value>,
    /// As of when: where a watch begins.
    pub(crate) resource_version: String,
    /// Items beyond the limit, where the server counts them.
    pub(crate) remaining: Option<u64>,
}

impl Query {
    /// The parameters that lists and watches share.
    pub(crate) fn parameters(&self, kind: Kind) -> [(&'static str, Option<&str>); 3] {
        let lives = kind.level() != Level::Appliance;
        [
            ("namespace", self.namespace.as_deref().filter(|_| lives)),
            ("labelSelector", self.labels.as_deref()),
            ("fieldSelector", self.fields.as_deref()),
        ]
    }
}

/// All pages of a list, up to the limit.
pub(crate) async fn list(client: &Client, kind: Kind, query: &Query) -> Result<List, Failure> {
    let path = with_query(&list_path(kind), &query.parameters(kind));
    let mut all = List::default();
    let mut after: Option<String> = None;
    loop {
        let wanted = query.limit.map_or(PAGE, |limit| limit.saturating_sub(all.items.len()).min(PAGE));
        let limit = wanted.to_string();
        let page: Value = client
            .get(&with_query(&path, &[("limit", Some(&limit)), ("continue", after.as_deref())]))
            .await?;
        if all.resource_version.is_empty() {
            text(&page, "/metadata/resourceVersion").clone_into(&mut all.resource_version);
        }
        let next = Some(text(&page, "/metadata/continue").to_owned()).filter(|c| !c.is_empty());
        all.remaining = page.pointer("/metadata/remainingItemCount").and_then(Value::as_u64);
        if let Some(Value::Array(items)) = page.get("items").cloned() {
            all.items.extend(items);
        }
        let full = query.limit.is_some_and(|limit| all.items.len() >= limit);
        match next {
            // A server that repeats its place would be asked for ever.
            Some(next) if !full && after.as_ref() != Some(&next) => after = Some(next),
            Some(_) => {
                all.remaining = all.remaining.or(Some(1));
                return Ok(all);
            }
            None => {
                all.remaining = None;
                return Ok(all);
            }
        }
    }
}

impl List {
    /// As one value, such as a `HostList`.
    pub(crate) fn into_value(self, kind: Option<Kind>) -> Value {
        let name = kind.map_or_else(|| "List".to_owned(), |k| format!("{}List", k.name()));
        let mut metadata = json!({ "resourceVersion": self.resource_version });
        if let Some(remaining) = self.remaining {
            metadata["remainingItemCount"] = remaining.into();
        }
        json!({ "apiVersion": cairn_domain::model::API_VERSION, "kind": name, "metadata": metadata, "items": self.items })
    }
}
