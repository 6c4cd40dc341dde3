//! The console's files, built into the program from `provisioner/console/`. No build step, no inline script (ADR 0007).

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use rust_embed::RustEmbed;

use crate::problem::{Kind, Problem};

#[derive(RustEmbed)]
#[folder = "../console/"]
struct Files;

/// Everything that is no API: `/assets/*` as files, the console's own paths as its one page.
pub(crate) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    if path.starts_with("/api/") || path.starts_with("/assets/..") {
        let detail = format!("There is no {} here.", cairn_domain::fact::plain(path, 200));
        return Problem::new(Kind::NotFound, detail, nearest_path(path)).into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return Problem::new(Kind::WrongMethod, "Pages are read with GET.", "").into_response();
    }
    match path.strip_prefix("/assets/") {
        Some(name) => file(name, &headers),
        None if is_page(path) => file("index.html", &headers),
        None => (StatusCode::NOT_FOUND, "There is no such page. The console is at /\n").into_response(),
    }
}

/// What may have been meant.
fn nearest_path(path: &str) -> String {
    let word = path.split('/').nth(3).unwrap_or_default();
    let plurals = cairn_domain::model::Kind::ALL.map(cairn_domain::model::Kind::plural);
    match cairn_domain::nearest::nearest(word, &plurals) {
        Some(near) => format!("Did you mean /api/v1/{near}? All paths: /api/v1/openapi.json"),
        None => "All paths: /api/v1/openapi.json".to_owned(),
    }
}

/// First parts of the paths of the console's views: as in `app.js`.
const PAGES: [&str; 18] = [
    "",
    "at",
    "hosts",
    "edit",
    "new",
    "make",
    "machines",
    "policies",
    "images",
    "access",
    "audit",
    "status",
    "clusters",
    "templates",
    "distributions",
    "packages",
    "secrets",
    "deployments",
];

fn is_page(path: &str) -> bool {
    path.split('/').nth(1).is_some_and(|first| PAGES.contains(&first))
}

fn file(name: &str, headers: &HeaderMap) -> Response {
    let Some(found) = Files::get(name) else {
        return (StatusCode::NOT_FOUND, "There is no such file.\n").into_response();
    };
    let tag = format!("\"{}\"", cairn_contract::Hex(found.metadata.sha256_hash().to_vec()));
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|v| v.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(found.data.into_owned()))
    };
    let headers = response.headers_mut();
    if let (Ok(kind), Ok(tag)) = (found.metadata.mimetype().parse(), tag.parse()) {
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::ETAG, tag);
    }
    // A new version of the program shows at once; the ETag keeps that cheap.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_no_inline_script_or_style() {
        for name in Files::iter().filter(|n| n.ends_with(".html")) {
            let text = String::from_utf8(Files::get(&name).unwrap().data.into_owned()).unwrap();
            assert!(
                !text.contains("<style") && !text.contains(" style=") && !text.contains(" onclick="),
                "{name}"
            );
            assert!(
                text.match_indices("<script")
                    .all(|(i, _)| text[i..].starts_with("<script type=\"module\" src="))
            );
        }
    }

    /// A missing module shows only in a browser otherwise.
    #[test]
    fn every_import_and_asset_exists() {
        for name in Files::iter() {
            let text = String::from_utf8(Files::get(&name).unwrap().data.into_owned()).unwrap();
            for (marker, end) in [("from \"./", '"'), ("\"/assets/", '"')] {
                for (i, _) in text.match_indices(marker) {
                    let wanted = text[i + marker.len()..].split(end).next().unwrap();
                    assert!(Files::get(wanted).is_some(), "{name} wants {wanted}");
                }
            }
        }
    }

    /// A view whose path the server does not know is lost when its page is loaded again.
    #[test]
    fn every_view_is_served() {
        let text = String::from_utf8(Files::get("app.js").unwrap().data.into_owned()).unwrap();
        let first =
            |line: &str| Some(line.trim().strip_prefix(r"[/^\/")?.split(['\\', '$', '(']).next()?.to_owned());
        let views: std::collections::BTreeSet<String> = text.lines().filter_map(first).collect();
        assert_eq!(views, PAGES.map(str::to_owned).into());
    }

    /// What a machine says must never be read as HTML.
    #[test]
    fn scripts_never_write_html() {
        for name in Files::iter().filter(|n| n.ends_with(".js")) {
            let text = String::from_utf8(Files::get(&name).unwrap().data.into_owned()).unwrap();
            for bad in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                assert!(!text.contains(bad), "{name} uses {bad}");
            }
        }
    }
}
