//! The tunnel's end on the host: dials, and serves each stream that the provisioner opens (`cairn_contract::workload::tunnel`).
//!
//! ```text
//!  dial, upgrade --> streams --+--> ApiServer: HTTP to the cluster's API server, as the person whom the provisioner names
//!    ^ broken: wait 1 s to 30 s |--> Logs, Exec, Console: whoever implements `Local`
//!    +------------------------- +
//! ```
//! It runs for ever. What one stream does holds up no other, and nothing here listens.

mod api_server;
mod kubeconfig;
mod local;

pub use api_server::{ApiServer, ApiServerError};
pub use local::{Duplex, Local, Nothing};

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use cairn_contract::Digest;
use cairn_contract::workload::tunnel::{Open, Opened};
use cairn_machine::link::{Link, LinkError, Protocol};
use cairn_tunnel::{Inward, Stream, upgrade};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use super::access::{Access, Accesses, first};
use crate::service::pace::Pace;

const PATH: &str = "/host/v1/tunnel";
const LIMIT: Duration = Duration::from_secs(10);
/// From the beginning of a stream to the end of its first line.
const LINE_LIMIT: Duration = Duration::from_secs(5);
const SLOWEST: Duration = Duration::from_secs(30);

/// Where this host's control plane is, when it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlPlane {
    /// Uid of the Cluster.
    pub cluster: Uuid,
    /// kubeconfig of an administrator.
    pub kubeconfig: PathBuf,
}

/// What streams lead to.
#[derive(Debug)]
pub struct Doors {
    control_plane: watch::Receiver<Option<ControlPlane>>,
    local: Arc<dyn Local>,
    /// The API server as its kubeconfig, of this digest, says: its TLS sessions are resumed.
    known: Mutex<Option<(Digest, Arc<ApiServer>)>>,
}

impl Doors {
    /// `control_plane` says where the API server is, as it comes and goes.
    pub fn new(control_plane: watch::Receiver<Option<ControlPlane>>, local: Arc<dyn Local>) -> Self {
        Self { control_plane, local, known: Mutex::default() }
    }

    fn api_server(&self, cluster: Uuid) -> Result<Arc<ApiServer>, ApiServerError> {
        let at = self.control_plane.borrow().clone().filter(|at| at.cluster == cluster);
        let at = at.ok_or(ApiServerError::NotHere)?;
        let text = ApiServer::read(&at.kubeconfig)?;
        let digest = Digest::of(&text);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, server)) = known.as_ref()
            && *of == digest
        {
            return Ok(Arc::clone(server));
        }
        let server = Arc::new(ApiServer::of(&text)?);
        *known = Some((digest, Arc::clone(&server)));
        Ok(server)
    }
}

/// Keeps a tunnel to the provisioner; done when `accesses` ends.
pub async fn run(mut accesses: Accesses, doors: Arc<Doors>) {
    let mut pace = Pace::new(SLOWEST);
    while let Some(access) = first(&mut accesses).await {
        match dial(&access).await {
            Ok(inward) => {
                pace.succeeded();
                tracing::info!("the tunnel to {} is open", access.server);
                serve(inward, &doors).await;
                tracing::info!("the tunnel is closed; it is dialled again");
            }
            Err(error) => tracing::debug!("no tunnel: {error:#}"),
        }
        pace.failed().await;
    }
}

async fn dial(access: &Access) -> anyhow::Result<Inward<impl AsyncRead + AsyncWrite + Unpin + use<>>> {
    let link = Link::connect(access.server, &access.trust, Protocol::Http1, LIMIT).await?;
    let (headers, key) = upgrade::ask()?;
    let (answer, socket) = link.upgrade(PATH, headers, LIMIT).await.map_err(|error: LinkError| error)?;
    key.check(&answer).context("the provisioner's answer")?;
    Ok(Inward::new(socket).await)
}

/// Serves streams until the tunnel ends; then all of them end.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut inward: Inward<S>, doors: &Arc<Doors>) {
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            next = inward.next() => match next {
                Ok(Some(stream)) => {
                    let doors = Arc::clone(doors);
                    streams.spawn(async move { one(stream, &doors).await });
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%error, "the tunnel broke");
                    return;
                }
            },
            Some(_) = streams.join_next() => {}
        }
    }
}

async fn one(mut stream: Stream, doors: &Doors) {
    let open = match timeout(LINE_LIMIT, stream.asked()).await {
        Ok(Ok(open)) => open,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a stream of the tunnel is not understood");
            let _ = stream.answer(&Opened::No(format!("the agent does not understand: {error}"))).await;
            return;
        }
        Err(_) => return,
    };
    if let Err(error) = through(stream, open, doors).await {
        tracing::debug!("a stream of the tunnel ended: {error:#}");
    }
}

async fn through(mut stream: Stream, open: Open, doors: &Doors) -> anyhow::Result<()> {
    if let Open::ApiServer { cluster, user, groups } = open {
        let connected = match doors.api_server(cluster) {
            Ok(server) => server.connect().await,
            Err(error) => Err(error),
        };
        return match connected {
            Ok(connection) => {
                stream.answer(&Opened::Yes).await?;
                Ok(connection.serve(stream, user, groups).await?)
            }
            Err(error) => refuse(stream, &error).await,
        };
    }
    match doors.local.open(open).await {
        Ok(mut inner) => {
            stream.answer(&Opened::Yes).await?;
            tokio::io::copy_bidirectional(&mut stream, &mut inner).await?;
            Ok(())
        }
        Err(why) => Ok(stream.answer(&Opened::No(why)).await?),
    }
}

async fn refuse(mut stream: Stream, error: &ApiServerError) -> anyhow::Result<()> {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        words.push_str(": ");
        words.push_str(&inner.to_string());
        cause = inner.source();
    }
    Ok(stream.answer(&Opened::No(words)).await?)
}
