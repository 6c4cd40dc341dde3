//! What the operator side needs of the tunnels: the server wires it to `cairn-fleet`.

use std::fmt;

use cairn_contract::{HostId, workload::tunnel::Open};
use cairn_domain::model::Uid;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    app::App,
    problem::{Kind, Problem, sentence},
};

/// Bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Opens streams to hosts.
pub trait Tunnels: fmt::Debug + Send + Sync {
    /// To the API server of a cluster, for requests as `user` in `groups`.
    fn api_server(
        &self,
        cluster: Uid,
        user: String,
        groups: Vec<String>,
    ) -> BoxFuture<'_, Result<Box<dyn Duplex>, Unreached>>;

    /// To something on a host.
    fn host(&self, host: HostId, open: Open) -> BoxFuture<'_, Result<Box<dyn Duplex>, Unreached>>;

    /// PEM of the CA of the certificate that people see here, and a name in that certificate.
    fn authority(&self) -> (String, String);
}

/// Why there is no stream; the words are for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// The host is not connected, or to another provisioner.
    #[error("{0}")]
    Away(String),
    /// It is connected, and says no.
    #[error("{0}")]
    Refused(String),
    /// Too much is open.
    #[error("{0}")]
    Busy(String),
}

/// The tunnels of this site.
pub(super) fn tunnels(app: &App) -> Result<&dyn Tunnels, Problem> {
    app.tunnels.as_deref().ok_or_else(|| {
        Problem::new(
            Kind::NotConnected,
            "Hosts are not connected to this provisioner.",
            "Ask the one that serves them.",
        )
    })
}

/// A missing stream as a problem. `name`: what people call the cluster or host.
pub(super) fn problem(error: &Unreached, name: &str) -> Problem {
    let detail = sentence(&error.to_string().replace("NAME", name));
    match error {
        Unreached::Away(_) => {
            let next = format!("See how it is: cairn describe {name}");
            Problem::new(Kind::NotConnected, detail, next).after(5)
        }
        Unreached::Refused(_) => {
            Problem::new(Kind::NotConnected, detail, "Try again when it is up.").after(5)
        }
        Unreached::Busy(_) => Problem::new(Kind::TooMany, detail, "Close some, or wait.").after(10),
    }
}
