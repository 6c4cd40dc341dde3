//! Lists: tags, repositories, referrers (distribution-spec, "Content Discovery"). Each answer is bounded; what follows is
//! behind its `Link` (RFC 8288).

use cairn_contract::Digest;
use http::{HeaderName, HeaderValue, Response, header, request::Parts};
use serde_json::json;

use super::{Answer, Call, json_response, set};
use crate::{
    Access, Action, Body, Kind, Registry,
    query::{encoded, parameter},
    refusal::{Code, Refusal},
    registry::blocking,
    store::{self, Page},
};

/// Entries of one answer, also when more are asked for.
const MOST: usize = 1000;
/// Bytes of descriptors in one answer: what clients take as a manifest.
const REFERRERS: u64 = 3 << 20;

const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");

/// `n` and `last` of a query.
fn page(query: Option<&str>) -> Result<Page, Refusal> {
    let refused = |_| Refusal::bad(Code::Unsupported, "n must be a number");
    let limit = parameter(query, "n").map(|n| n.parse::<usize>().map_err(refused)).transpose()?;
    Ok(Page { limit: limit.unwrap_or(MOST).min(MOST), last: parameter(query, "last") })
}

/// Says where the rest is.
fn link(response: &mut Response<Body>, path: &str, page: &Page, (last, rest): (&str, &str)) {
    let next = format!("<{path}?n={}&last={}{rest}>; rel=\"next\"", page.limit, encoded(last));
    set(response, header::LINK, next);
}

/// The repositories that the caller may pull from.
pub(super) async fn catalog(registry: &Registry, access: &dyn Access, parts: &Parts) -> Answer {
    let page = page(parts.uri.query())?;
    // Rights are the caller's and stay on this thread: names come in pages until one is full of what may be seen.
    let mut seen: Vec<String> = Vec::new();
    let mut last = page.last.clone();
    let more = loop {
        let (layout, next) = (registry.layout.clone(), Page { limit: MOST, last: last.clone() });
        let listed = blocking(move || store::repositories(&layout, &next).map_err(Refusal::from)).await?;
        let visible =
            listed.items.iter().filter(|name| name.parse().is_ok_and(|name| access.may(&name, Action::Pull)));
        seen.extend(visible.cloned());
        if seen.len() > page.limit || !listed.more {
            break seen.len() > page.limit;
        }
        last = listed.items.last().cloned();
    };
    seen.truncate(page.limit);
    let mut response = json_response(json!({ "repositories": seen }).to_string());
    if let Some(last) = seen.last().filter(|_| more) {
        link(&mut response, "/v2/_catalog", &page, (last, ""));
    }
    Ok(response)
}

impl Call<'_> {
    pub(super) async fn tags(&self) -> Answer {
        let page = page(self.parts.uri.query())?;
        let (layout, name, wanted) = (self.registry.layout.clone(), self.name.clone(), page.clone());
        let listed = blocking(move || store::tags(&layout, &name, &wanted).map_err(Refusal::from)).await?;
        let unknown =
            || Refusal::absent(Code::NameUnknown, "there is no such repository, or you may not see it");
        let listed = listed.ok_or_else(unknown)?;
        let mut response =
            json_response(json!({ "name": self.name.as_str(), "tags": listed.items }).to_string());
        if let Some(last) = listed.items.last().filter(|_| listed.more) {
            link(&mut response, &format!("/v2/{}/tags/list", self.name), &page, (last, ""));
        }
        Ok(response)
    }

    pub(super) async fn referrers(&self, subject: Digest) -> Answer {
        let page = page(self.parts.uri.query())?;
        let wanted = self.parameter("artifactType").filter(|t| !t.is_empty());
        let (layout, name) = (self.registry.layout.clone(), self.name.clone());
        let (of, filter, asked) = ((name, subject), wanted.clone(), page.clone());
        let listed = blocking(move || {
            let (name, subject) = &of;
            store::referrers(&layout, (name, subject), &asked, (filter.as_deref(), REFERRERS))
                .map_err(Refusal::from)
        });
        let listed = listed.await?;
        let media_type = Kind::Index.media_type();
        let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": listed.items });
        let mut response = json_response(index.to_string());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        let mut rest = String::new();
        if let Some(wanted) = &wanted {
            headers.insert(FILTERS, HeaderValue::from_static("artifactType"));
            rest = format!("&artifactType={}", encoded(wanted));
        }
        if let Some(last) = listed.items.last().filter(|_| listed.more) {
            let last = last.digest.trim_start_matches("sha256:");
            let path = format!("/v2/{}/referrers/sha256:{subject}", self.name);
            link(&mut response, &path, &page, (last, &rest));
        }
        Ok(response)
    }
}
