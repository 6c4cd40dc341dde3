//! One HTTP request to one answer. GET and HEAD only.

use std::net::SocketAddr;

use cairn_netproto::bootfile::Name;
use cairn_netproto::printable;
use http::header::{ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG};
use http::header::{HeaderName, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::response::Builder;
use http::{HeaderMap, Method, Request, Response, StatusCode};

use super::body::Body;
use super::conditional::{etag, has_it, range_applies};
use super::range::{Part, part};
use super::route::{Route, route};
use crate::Parts;
use crate::choice::DISK;
use crate::event::{BootEvent, Service, What};
use crate::scripts::{self, Via};
use crate::shelf::Blob;

/// Serves `/boot/<name>`, the scripts for the machine that asks, and `/artifacts/sha256/<hex>`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BootHttp {
    parts: Parts,
}

/// A representation with its name.
struct Found {
    blob: Blob,
    name: String,
    media_type: &'static str,
    cache: &'static str,
}

impl BootHttp {
    /// A handler over these parts.
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// True when this handler serves the path; the server crate routes by it on a shared port.
    pub fn serves(path: &str) -> bool {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        matches!(parts.next(), Some("boot" | "artifacts"))
    }

    /// Answers one request. The request's body is not read.
    pub async fn handle<B>(&self, request: Request<B>, peer: SocketAddr) -> Response<Body> {
        let head = match *request.method() {
            Method::GET => Asked::Body,
            Method::HEAD => Asked::HeadOnly,
            _ => return self.refuse(&request, peer),
        };
        match route(request.uri().path()) {
            Route::Named(name) => self.named(&name, request.headers(), head, peer).await,
            Route::Artifact(digest) => match self.parts.shelf.artifact(&digest) {
                Some(blob) => {
                    let name = format!("artifact {digest}");
                    let cache = "public, max-age=31536000, immutable";
                    let found = Found { blob, name, media_type: "application/octet-stream", cache };
                    self.blob(found, request.headers(), head, peer).await
                }
                None => self.missing(request.uri().path(), peer),
            },
            Route::Unknown => self.missing(request.uri().path(), peer),
        }
    }

    async fn named(&self, name: &Name, headers: &HeaderMap, head: Asked, peer: SocketAddr) -> Response<Body> {
        let client = self.parts.neighbours.client(peer.ip());
        if let Some(script) = scripts::script(&self.parts, &client, name.as_str(), Via::Http) {
            self.tell(peer, script.event);
            let answer = Response::builder()
                .header(CONTENT_TYPE, name.media_type())
                .header(CONTENT_LENGTH, script.text.len())
                .header(CACHE_CONTROL, "no-store");
            return finish(answer, if head == Asked::Body { Body::text(script.text) } else { Body::empty() });
        }
        match self.parts.shelf.get(name.as_str()) {
            Some(blob) => {
                let (name, media_type) = (name.to_string(), name.media_type());
                self.blob(Found { blob, name, media_type, cache: "no-cache" }, headers, head, peer).await
            }
            None => self.missing(name.as_str(), peer),
        }
    }

    async fn blob(&self, found: Found, headers: &HeaderMap, head: Asked, peer: SocketAddr) -> Response<Body> {
        let tag = etag(&found.blob.digest.to_string());
        let answer = Response::builder()
            .header(ETAG, &tag)
            .header(ACCEPT_RANGES, "bytes")
            .header(CACHE_CONTROL, found.cache)
            .header(CONTENT_TYPE, found.media_type);
        if has_it(text(headers, &IF_NONE_MATCH), &tag) {
            return finish(answer.status(StatusCode::NOT_MODIFIED), Body::empty());
        }
        let len = found.blob.len;
        if head == Asked::HeadOnly {
            self.tell(peer, What::SizeAsked { service: Service::Http, name: found.name });
            return finish(answer.header(CONTENT_LENGTH, len), Body::empty());
        }
        let range = text(headers, &RANGE).filter(|_| range_applies(text(headers, &IF_RANGE), &tag));
        match part(range, len) {
            Part::Whole => self.send(answer.header(CONTENT_LENGTH, len), found, (0, len), peer).await,
            Part::Slice { first, last } => {
                let count = last.saturating_sub(first).saturating_add(1);
                let answer = answer
                    .status(StatusCode::PARTIAL_CONTENT)
                    .header(CONTENT_LENGTH, count)
                    .header(CONTENT_RANGE, format!("bytes {first}-{last}/{len}"));
                self.send(answer, found, (first, count), peer).await
            }
            Part::Unsatisfiable => {
                let answer = answer
                    .status(StatusCode::RANGE_NOT_SATISFIABLE)
                    .header(CONTENT_LENGTH, 0)
                    .header(CONTENT_RANGE, format!("bytes */{len}"));
                finish(answer, Body::empty())
            }
        }
    }

    async fn send(
        &self,
        answer: Builder,
        found: Found,
        (first, len): (u64, u64),
        peer: SocketAddr,
    ) -> Response<Body> {
        match Body::slice(&found.blob, first, len).await {
            Ok(body) => {
                finish(answer, body.reported(&self.parts, self.parts.neighbours.who(peer.ip()), found.name))
            }
            Err(error) => {
                let why = format!("{} cannot be read: {error}", found.name);
                self.tell(peer, What::ReplyFailed { service: Service::Http, why });
                finish(Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR), Body::empty())
            }
        }
    }

    fn missing(&self, name: &str, peer: SocketAddr) -> Response<Body> {
        let what = match name {
            DISK => What::LedToDisk,
            _ => What::FileMissing { service: Service::Http, name: printable(name.as_bytes()) },
        };
        self.tell(peer, what);
        let answer = Response::builder().status(StatusCode::NOT_FOUND).header(CONTENT_LENGTH, 0);
        finish(answer, Body::empty())
    }

    fn refuse<B>(&self, request: &Request<B>, peer: SocketAddr) -> Response<Body> {
        let why = printable(format!("{} {}", request.method(), request.uri().path()).as_bytes());
        self.tell(peer, What::FileRefused { service: Service::Http, why });
        let answer = Response::builder()
            .status(StatusCode::METHOD_NOT_ALLOWED)
            .header(ALLOW, "GET, HEAD")
            .header(CONTENT_LENGTH, 0);
        finish(answer, Body::empty())
    }

    fn tell(&self, peer: SocketAddr, what: What) {
        self.parts.observer.observe(BootEvent { who: self.parts.neighbours.who(peer.ip()), what });
    }
}

/// What of the representation is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Body,
    HeadOnly,
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn finish(answer: Builder, body: Body) -> Response<Body> {
    answer.body(body).expect("all header values are written here and are sound")
}
