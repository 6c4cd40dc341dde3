//! The connection to containerd. Not what is done with it.
//!
//! It is opened at first use, and again by itself when containerd was away: every call may then fail with
//! [`EngineError::is_away`], and is made again by who called.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use containerd_client::services::v1::PluginsRequest;
use containerd_client::services::v1::containers_client::ContainersClient;
use containerd_client::services::v1::content_client::ContentClient;
use containerd_client::services::v1::diff_client::DiffClient;
use containerd_client::services::v1::images_client::ImagesClient;
use containerd_client::services::v1::introspection_client::IntrospectionClient;
use containerd_client::services::v1::leases_client::LeasesClient;
use containerd_client::services::v1::snapshots::snapshots_client::SnapshotsClient;
use containerd_client::services::v1::tasks_client::TasksClient;
use containerd_client::tonic::transport::Channel;
use containerd_client::tonic::{Code, Request, Status};
use tokio::sync::OnceCell;

/// Most calls are answered at once; unpacking a layer may take minutes.
const LIMIT: Duration = Duration::from_secs(600);

/// What containerd did not do.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It does not answer.
    #[error("containerd does not answer on {}", socket.display())]
    Away {
        /// Its socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It refused.
    #[error("containerd cannot {what}: {}", status.message())]
    Refused {
        /// What was asked.
        what: &'static str,
        /// What it said.
        status: Box<Status>,
    },
}

impl EngineError {
    /// One word for status.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            _ if self.is_away() => "ContainerdAway",
            Self::Refused { status, .. } if status.message().contains("no space left on device") => {
                "DiskFull"
            }
            _ => "ContainerdRefused",
        }
    }

    /// It did not answer; it may later.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Away { .. } => true,
            Self::Refused { status, .. } => status.code() == Code::Unavailable,
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.is(Code::NotFound)
    }

    pub(crate) fn is(&self, code: Code) -> bool {
        matches!(self, Self::Refused { status, .. } if status.code() == code)
    }
}

/// containerd, one namespace of it.
#[derive(Debug, Clone)]
pub struct Engine {
    socket: Arc<PathBuf>,
    namespace: Arc<str>,
    channel: Arc<OnceCell<Channel>>,
    snapshotter: Arc<OnceCell<String>>,
}

macro_rules! clients {
    ($($name:ident: $client:ident),*) => {
        $(pub(crate) async fn $name(&self) -> Result<$client<Channel>, EngineError> {
            Ok($client::new(self.channel().await?).max_decoding_message_size(32 << 20))
        })*
    };
}

impl Engine {
    /// containerd behind this socket. Nothing is opened yet.
    #[must_use]
    pub fn at(socket: &Path, namespace: &str) -> Self {
        let namespace = Arc::from(namespace);
        let (channel, snapshotter) = (Arc::default(), Arc::default());
        Self { socket: Arc::new(socket.to_owned()), namespace, channel, snapshotter }
    }

    clients!(
        containers: ContainersClient, content: ContentClient, diff: DiffClient, images: ImagesClient,
        leases: LeasesClient, snapshots: SnapshotsClient, tasks: TasksClient, introspection: IntrospectionClient
    );

    /// A request in the namespace.
    pub(crate) fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = self.ask_forever(message);
        request.set_timeout(LIMIT);
        request
    }

    /// The same without a limit of time: to wait for an end.
    pub(crate) fn ask_forever<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Ok(namespace) = self.namespace.parse() {
            request.metadata_mut().insert("containerd-namespace", namespace);
        }
        request
    }

    /// The same under a lease: what it makes is kept until the lease goes.
    pub(crate) fn ask_leased<T>(&self, message: T, lease: &str) -> Request<T> {
        let mut request = self.ask(message);
        if let Ok(lease) = lease.parse() {
            request.metadata_mut().insert("containerd-lease", lease);
        }
        request
    }

    /// `overlayfs` where it works, else `native`.
    pub(crate) async fn snapshotter(&self) -> Result<String, EngineError> {
        self.snapshotter.get_or_try_init(|| self.find_snapshotter()).await.cloned()
    }

    async fn find_snapshotter(&self) -> Result<String, EngineError> {
        let filters = vec!["type==io.containerd.snapshotter.v1,id==overlayfs".to_owned()];
        let request = self.ask(PluginsRequest { filters });
        let answer =
            self.introspection().await?.plugins(request).await.map_err(refused("list its plugins"))?;
        let works = answer.into_inner().plugins.iter().any(|p| p.init_err.is_none());
        Ok(if works { "overlayfs" } else { "native" }.to_owned())
    }

    async fn channel(&self) -> Result<Channel, EngineError> {
        let connect = || containerd_client::connect(self.socket.as_ref());
        let away = |e| EngineError::Away { socket: self.socket.to_path_buf(), source: Box::new(e) };
        self.channel.get_or_try_init(connect).await.cloned().map_err(away)
    }
}

pub(crate) fn refused(what: &'static str) -> impl FnOnce(Status) -> EngineError {
    move |status| EngineError::Refused { what, status: Box::new(status) }
}

/// What is gone already need not be removed.
pub(crate) fn or_gone<T>(result: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is(Code::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}
