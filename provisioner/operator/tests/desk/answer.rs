//! What came back.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::task::JoinSet;

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn read(response: http::Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Self {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// Status and last part of the problem's type.
    #[track_caller]
    pub(crate) fn problem(&self) -> (u16, String) {
        let json = self.json();
        let kind = json["type"].as_str().unwrap_or_else(|| panic!("no problem: {}", self.text));
        (self.status.as_u16(), kind.strip_prefix("urn:cairn:problem:").unwrap().to_owned())
    }

    /// The value of a cookie that is set.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let all = self.headers.get_all("set-cookie").iter().filter_map(|v| v.to_str().ok());
        let pairs = all.filter_map(|v| v.split(';').next());
        pairs.filter_map(|p| p.strip_prefix(name)?.strip_prefix('=')).next().map(str::to_owned)
    }
}

/// An open stream of events.
pub(crate) struct Stream {
    body: Incoming,
    _tasks: JoinSet<()>,
}

impl Stream {
    pub(super) fn new(body: Incoming, tasks: JoinSet<()>) -> Self {
        Self { body, _tasks: tasks }
    }

    /// Waits until something was sent.
    pub(crate) async fn first(&mut self) {
        assert!(self.body.frame().await.is_some(), "the stream has begun");
    }

    /// Whether it ends within a time.
    pub(crate) async fn ends_within(&mut self, time: Duration) -> bool {
        let end = async { while let Some(Ok(_)) = self.body.frame().await {} };
        tokio::time::timeout(time, end).await.is_ok()
    }
}
