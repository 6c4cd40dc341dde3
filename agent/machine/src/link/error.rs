//! What goes wrong between a host and its provisioner, in the words that the host's console shows.

use std::io;
use std::net::SocketAddr;

use http::StatusCode;

/// Why a request or connection failed.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No TCP connection.
    #[error("cannot reach {peer}")]
    Unreachable {
        /// Server.
        peer: SocketAddr,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The TLS handshake failed: another site's server, wrong time, or no TLS at all.
    #[error("{peer} does not prove to be this site's provisioner")]
    Tls {
        /// Server.
        peer: SocketAddr,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The trust or identity given makes no TLS configuration.
    #[error("the site's CA or this host's certificate cannot be used")]
    Config(#[source] rustls::Error),
    /// The deadline passed.
    #[error("{peer} did not answer in time")]
    Slow {
        /// Server.
        peer: SocketAddr,
    },
    /// HTTP broke, or the connection with it.
    #[error("the connection to {peer} broke")]
    Http {
        /// Server.
        peer: SocketAddr,
        /// Cause.
        #[source]
        source: hyper::Error,
    },
    /// A request that cannot be written (a path with spaces, for instance).
    #[error("the request cannot be written")]
    Request(#[source] http::Error),
    /// The server refused; `text` is the beginning of what it said.
    #[error("{peer} answered {status}: {text}")]
    Status {
        /// Server.
        peer: SocketAddr,
        /// Status.
        status: StatusCode,
        /// At most 300 characters.
        text: String,
    },
    /// A range that was not asked for.
    #[error("{peer} answered with another range than asked for")]
    Range {
        /// Server.
        peer: SocketAddr,
    },
    /// An answer longer than the contract allows.
    #[error("{peer} answered with more than {most} bytes")]
    Long {
        /// Server.
        peer: SocketAddr,
        /// How many are read.
        most: usize,
    },
    /// JSON that is not what the contract says, in either direction.
    #[error("a message is not what the contract says")]
    Json(#[source] serde_json::Error),
}
