//! The API server, as JSON. kube makes the connection; answers are bounded, and their text is never logged.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;

use crate::secrets::Token;

/// Largest answer that is read.
const MAX_ANSWER: usize = 64 << 20;
const LIMIT: Duration = Duration::from_secs(30);

/// Why the API server did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No kubeconfig, or not a usable one.
    #[error("the kubeconfig cannot be used: {0}")]
    Config(String),
    /// It cannot be reached, or not be trusted.
    #[error("it cannot be asked: {0}")]
    Connect(String),
    /// It said no.
    #[error("it answers {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its message.
        message: String,
    },
    /// What it said is not JSON.
    #[error("its answer cannot be read")]
    Answer(#[source] serde_json::Error),
}

/// A connection with one identity.
#[derive(Clone)]
pub struct Api {
    client: kube::Client,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Api")
    }
}

impl Api {
    /// By a kubeconfig's current context.
    pub(crate) async fn open(kubeconfig: &Path) -> Result<Self, ApiError> {
        let read = Kubeconfig::read_from(kubeconfig).map_err(|e| ApiError::Config(e.to_string()))?;
        Self::with(read).await
    }

    /// Without an identity; without `ca` the server is not verified, and what it says must be proven otherwise.
    pub(crate) fn anonymous(url: &str, ca: Option<&str>) -> Result<Self, ApiError> {
        let uri = url.parse().map_err(|_| ApiError::Config(format!("`{url}` is no address")))?;
        let mut config = kube::Config::new(uri);
        match ca {
            None => config.accept_invalid_certs = true,
            Some(ca) => config.root_cert = Some(vec![der(ca)?]),
        }
        Self::of(config)
    }

    /// With a bootstrap token.
    pub(crate) fn bearer(url: &str, ca: &str, token: &Token) -> Result<Self, ApiError> {
        let uri = url.parse().map_err(|_| ApiError::Config(format!("`{url}` is no address")))?;
        let mut config = kube::Config::new(uri);
        config.root_cert = Some(vec![der(ca)?]);
        config.auth_info.token = Some(token.whole().to_string().into());
        Self::of(config)
    }

    async fn with(kubeconfig: Kubeconfig) -> Result<Self, ApiError> {
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        Self::of(config.map_err(|e| ApiError::Config(e.to_string()))?)
    }

    fn of(mut config: kube::Config) -> Result<Self, ApiError> {
        config.connect_timeout = Some(Duration::from_secs(10));
        config.default_retry = false;
        let client = kube::Client::try_from(config).map_err(|e| ApiError::Config(e.to_string()))?;
        Ok(Self { client })
    }

    /// An object or a list; none when there is none.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<Value>, ApiError> {
        match self.ask(Method::GET, path, None).await {
            Ok(value) => Ok(Some(value)),
            Err(ApiError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates or replaces an object as far as `object` says (server-side apply).
    pub(crate) async fn apply(&self, path: &str, object: &Value) -> Result<Value, ApiError> {
        let path = format!("{path}?fieldManager=cairn-agent&force=true");
        self.ask(Method::PATCH, &path, Some(("application/apply-patch+yaml", object))).await
    }

    /// Changes fields of an object (RFC 7396).
    pub(crate) async fn merge(&self, path: &str, change: &Value) -> Result<Value, ApiError> {
        self.ask(Method::PATCH, path, Some(("application/merge-patch+json", change))).await
    }

    /// Creates something.
    pub(crate) async fn create(&self, path: &str, object: &Value) -> Result<Value, ApiError> {
        self.ask(Method::POST, path, Some(("application/json", object))).await
    }

    /// Writes a whole object.
    pub(crate) async fn replace(&self, path: &str, object: &Value) -> Result<Value, ApiError> {
        self.ask(Method::PUT, path, Some(("application/json", object))).await
    }

    /// Removes an object; one that is not there is no error.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), ApiError> {
        match self.ask(Method::DELETE, path, None).await {
            Ok(_) | Err(ApiError::Refused { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<(&str, &Value)>) -> Result<Value, ApiError> {
        let mut request = Request::builder().method(method).uri(path);
        let mut bytes = Vec::new();
        if let Some((kind, value)) = body {
            request = request.header("content-type", kind);
            bytes = serde_json::to_vec(value).map_err(ApiError::Answer)?;
        }
        let request = request.body(Body::from(bytes)).map_err(|e| ApiError::Config(e.to_string()))?;
        let asked = tokio::time::timeout(LIMIT, self.answer(request)).await;
        asked.unwrap_or_else(|_| Err(ApiError::Connect(format!("no answer within {} s", LIMIT.as_secs()))))
    }

    async fn answer(&self, request: Request<Body>) -> Result<Value, ApiError> {
        let connect = |error: &dyn std::error::Error| ApiError::Connect(chain(error));
        let answer = self.client.send(request).await.map_err(|e| connect(&e))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let bytes = body.map_err(|e| ApiError::Connect(e.to_string()))?.to_bytes();
        let value = serde_json::from_slice::<Value>(&bytes);
        if status.is_success() {
            return value.map_err(ApiError::Answer);
        }
        let message = value.ok().and_then(|v| v.get("message")?.as_str().map(str::to_owned));
        Err(ApiError::Refused { status: status.as_u16(), message: message.unwrap_or_default() })
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    crate::failure::Failure::of("", error).message
}

fn der(pem: &str) -> Result<Vec<u8>, ApiError> {
    let body: String = pem.lines().filter(|l| !l.starts_with("-----")).collect();
    STANDARD.decode(body).map_err(|_| ApiError::Config("the CA certificate is not PEM".into()))
}

/// A kubeconfig, in YAML's subset JSON, that names only a server and its CA.
pub(crate) fn public_kubeconfig(endpoint: &str, ca: &str) -> String {
    serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "preferences": {}, "current-context": "",
        "clusters": [{ "name": "", "cluster": {
            "server": format!("https://{endpoint}"), "certificate-authority-data": STANDARD.encode(ca),
        }}],
        "contexts": [], "users": [],
    })
    .to_string()
}
