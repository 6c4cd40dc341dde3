//! A call whose answer is a stream of bytes both ways (RFC 9110, 7.8).

use http::{Method, Request, StatusCode, header};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::task::JoinSet;

use super::{CallError, Client, Open, refusal, whole};

/// As in `cairn-operator`'s streams.
const PROTOCOL: &str = "cairn-stream";

impl Client {
    /// Posts JSON, and goes on with the connection.
    pub(crate) async fn stream(&self, path: &str, body: &Value) -> Result<TokioIo<Upgraded>, CallError> {
        self.patiently(self.switched(path, body)).await
    }

    async fn switched(&self, path: &str, body: &Value) -> Result<TokioIo<Upgraded>, CallError> {
        let token = self.connection.token.as_ref().map(|token| format!("Bearer {}", token.reveal()));
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::HOST, self.connector.authority())
            .header(header::USER_AGENT, concat!("cairn/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, PROTOCOL)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let impossible = |_| CallError::Connection("the token or url has impossible characters");
        let request = request.body(whole(body.to_string().into())).map_err(impossible)?;
        let stream = self.connector.connect().await.map_err(|e| self.unreachable(e))?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|e| self.unreachable(e))?;
        let mut driving = JoinSet::new();
        driving.spawn(async move { drop(connection.with_upgrades().await) });
        let response = sender.send_request(request).await.map_err(|e| CallError::Broken(e.into()))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refusal(Open { response, _connection: driving }).await);
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(|e| CallError::Broken(e.into()))?;
        Ok(TokioIo::new(upgraded))
    }
}
