//! The API server: requests with a limit of bytes and time, and what went wrong with one. Paths and JSON only; what they mean is
//! others' (`kinds`, `put`, `mirror`, `keep`).
//!
//! kube makes the connection (kubeconfig, TLS, credentials). Its own request functions are not used: they log the text of an
//! answer that they cannot read, which may hold secrets, and read answers of any length.

use std::time::Duration;

use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use serde_json::{Value, json};

use crate::key::{each, text};
use crate::owned::MANAGER;
use crate::refusal::Refusal;

/// Longest answer to anything.
const MAX_ANSWER: usize = 64 << 20;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the start of a connection may take: the API server is this host, or close.
const CONNECT: Duration = Duration::from_secs(5);
/// Objects in one page of a list.
const PAGE: usize = 500;

/// A kubeconfig that is none.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not YAML of a kubeconfig.
    #[error("the kubeconfig cannot be read")]
    Read(#[source] Box<KubeconfigError>),
    /// It wants a program run, which an agent does not do.
    #[error(
        "the kubeconfig wants a program or a plug-in for its credentials; give it a certificate or a token"
    )]
    Program,
    /// Its certificates or keys cannot be used.
    #[error("the kubeconfig's credentials cannot be used")]
    Credentials(#[source] Box<kube::Error>),
}

/// A request that brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection, or a broken one.
    #[error("the API server does not answer")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Connected, but nothing came in time.
    #[error("the API server took longer than {} s", PATIENCE.as_secs())]
    Late,
    /// It said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// It answered something else than JSON.
    #[error("the API server's answer is not JSON")]
    Answer,
    /// The request could not be written down: a path with odd letters.
    #[error("{0} cannot be asked for")]
    Request(String),
}

impl CallError {
    /// The refusal, when it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// It is not there.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.refusal().is_some_and(|r| r.code == 404)
    }

    /// Nothing came back. (A 503 is an answer: one group of the API may be away while the server is well.)
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Late => true,
            Self::Refused(_) | Self::Answer | Self::Request(_) => false,
        }
    }
}

/// Whether an apply takes fields that others set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// Yes.
    Take,
    /// No: it is refused with their names.
    Ask,
}

/// A connection to an API server. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cluster")
    }
}

impl Cluster {
    /// From the text of a kubeconfig: its current context. Nothing is asked yet.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(kubeconfig: &str) -> Result<Self, ConnectError> {
        let read = Kubeconfig::from_yaml(kubeconfig).map_err(|e| ConnectError::Read(Box::new(e)))?;
        let users = read.auth_infos.iter().filter_map(|u| u.auth_info.as_ref());
        if users.into_iter().any(|u| u.exec.is_some() || u.auth_provider.is_some()) {
            return Err(ConnectError::Program);
        }
        let config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await;
        let mut config = config.map_err(|e| ConnectError::Read(Box::new(e)))?;
        config.connect_timeout = Some(CONNECT);
        // From the environment perhaps; the API server is this host's own.
        config.proxy_url = None;
        // The next pass is the next try; nobody waits inside a request.
        config.default_retry = false;
        let client = kube::Client::try_from(config).map_err(|e| ConnectError::Credentials(Box::new(e)))?;
        Ok(Self { client })
    }

    /// Whether it can be reached and is well.
    ///
    /// # Errors
    /// As [`CallError`].
    pub async fn ping(&self) -> Result<(), CallError> {
        self.bytes(Method::GET, "/readyz", None).await.map(|_| ())
    }

    /// An object.
    ///
    /// # Errors
    /// As [`CallError`]; see also [`Cluster::find`].
    pub async fn get(&self, path: &str) -> Result<Value, CallError> {
        self.call(Method::GET, path, None).await
    }

    /// An object, or none.
    ///
    /// # Errors
    /// As [`CallError`], without 404.
    pub async fn find(&self, path: &str) -> Result<Option<Value>, CallError> {
        match self.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(e) if e.is_absent() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// All objects of a list with this selector, and the version that the list is of. `query` is without `?`.
    ///
    /// # Errors
    /// As [`CallError`].
    pub async fn list(&self, path: &str, query: &str) -> Result<(Vec<Value>, String), CallError> {
        let (mut out, mut from) = (Vec::new(), String::new());
        loop {
            let page = format!("{path}?{query}&limit={PAGE}&continue={}", escaped(&from));
            let mut answer = self.get(&page).await?;
            from = text(&answer, &["metadata", "continue"]).to_owned();
            let version = text(&answer, &["metadata", "resourceVersion"]).to_owned();
            if let Some(Value::Array(items)) = answer.get_mut("items").map(Value::take) {
                out.extend(items);
            }
            if from.is_empty() {
                return Ok((out, version));
            }
        }
    }

    /// Server-side apply; gives the object as it is then.
    ///
    /// # Errors
    /// As [`CallError`]; 409 names conflicts.
    pub async fn apply(&self, path: &str, object: &Value, force: Force) -> Result<Value, CallError> {
        let force = force == Force::Take;
        let path = format!("{path}?fieldManager={MANAGER}&force={force}");
        self.call(Method::PATCH, &path, Some(("application/apply-patch+yaml", object))).await
    }

    /// Merge patch (RFC 7386) by another field manager.
    ///
    /// # Errors
    /// As [`CallError`].
    pub async fn merge(&self, path: &str, manager: &str, patch: &Value) -> Result<Value, CallError> {
        let path = format!("{path}?fieldManager={manager}");
        self.call(Method::PATCH, &path, Some(("application/merge-patch+json", patch))).await
    }

    /// Makes an object.
    ///
    /// # Errors
    /// As [`CallError`]; 409 when it exists.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, CallError> {
        let path = format!("{path}?fieldManager={MANAGER}");
        self.call(Method::POST, &path, Some(("application/json", object))).await
    }

    /// Asks for something to be done: PUT of a subresource without fields.
    ///
    /// # Errors
    /// As [`CallError`].
    pub async fn order(&self, path: &str) -> Result<(), CallError> {
        self.bytes(Method::PUT, path, Some(("application/json", &json!({})))).await.map(|_| ())
    }

    /// Deletes the object with this uid, what it owns in the background.
    ///
    /// # Errors
    /// As [`CallError`]; 409 when another object has the name by now.
    pub async fn delete(&self, path: &str, uid: &str) -> Result<(), CallError> {
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions",
            "propagationPolicy": "Background", "preconditions": { "uid": uid },
        });
        self.bytes(Method::DELETE, path, Some(("application/json", &options))).await.map(|_| ())
    }

    /// A watch: the answer's frames come as they come.
    ///
    /// # Errors
    /// As [`CallError`].
    pub async fn watch(&self, path: &str) -> Result<Body, CallError> {
        let answer = self.send(Method::GET, path, None).await?;
        Ok(answer.into_body())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<Value, CallError> {
        let bytes = self.bytes(method, path, body).await?;
        serde_json::from_slice(&bytes).map_err(|_| CallError::Answer)
    }

    async fn bytes(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<Vec<u8>, CallError> {
        let whole = async { collect(self.send(method, path, body).await?.into_body()).await };
        tokio::time::timeout(PATIENCE, whole).await.map_err(|_| CallError::Late)?
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<http::Response<Body>, CallError> {
        let mut request =
            Request::builder().method(method).uri(path).header(header::ACCEPT, "application/json");
        let mut bytes = Vec::new();
        if let Some((kind, value)) = body {
            request = request.header(header::CONTENT_TYPE, kind);
            bytes = serde_json::to_vec(value).map_err(|_| CallError::Request(path.to_owned()))?;
        }
        let request = request.body(Body::from(bytes)).map_err(|_| CallError::Request(path.to_owned()))?;
        let answer = tokio::time::timeout(PATIENCE, self.client.send(request)).await;
        let answer = answer.map_err(|_| CallError::Late)?.map_err(|e| CallError::Unreachable(Box::new(e)))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let code = answer.status().as_u16();
        let said = tokio::time::timeout(PATIENCE, collect(answer.into_body()))
            .await
            .map_err(|_| CallError::Late)??;
        Err(CallError::Refused(Box::new(Refusal::read(code, &said))))
    }
}

async fn collect(body: Body) -> Result<Vec<u8>, CallError> {
    let read = Limited::new(body, MAX_ANSWER).collect().await.map_err(CallError::Unreachable)?;
    Ok(read.to_bytes().to_vec())
}

/// Percent-encoded for a query.
fn escaped(text: &str) -> String {
    let byte = |b: u8| {
        if b.is_ascii_alphanumeric() || b == b'-' { char::from(b).to_string() } else { format!("%{b:02X}") }
    };
    text.bytes().map(byte).collect()
}

/// Names and details of the resources that a group and version has: `APIResourceList`.
pub(crate) fn resources(list: &Value) -> impl Iterator<Item = &Value> {
    each(list, &["resources"]).filter(|r| !text(r, &["name"]).contains('/'))
}
