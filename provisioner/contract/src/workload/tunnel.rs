//! Streams from the provisioner inwards, over the one connection that the agent dialled: yamux frames in the binary messages of
//! a WebSocket. The provisioner opens a stream and sends one line of JSON, [`Open`]; the agent answers one line, [`Opened`]; then
//! bytes flow both ways until either end closes.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest line of either kind, in bytes.
pub const MAX_LINE: usize = 16 << 10;

/// What a stream is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Open {
    /// HTTP/1.1 to the API server of the host's cluster. The agent drops `Authorization` and `Impersonate-*` of each request, and
    /// asks as this person.
    ApiServer {
        /// Uid of the Cluster.
        cluster: Uuid,
        /// For `Impersonate-User`.
        user: String,
        /// For `Impersonate-Group`.
        groups: Vec<String>,
    },
    /// The last `tail` lines of a container's or virtual machine's log, then what follows.
    Logs {
        /// Uid of the Deployment.
        deployment: Uuid,
        /// Which application.
        application: String,
        /// How many lines at first.
        tail: u32,
        /// Stays open for what comes.
        follow: bool,
    },
    /// A program in a container: its standard input and output, raw.
    Exec {
        /// Uid of the Deployment.
        deployment: Uuid,
        /// Which application.
        application: String,
        /// Program and arguments.
        run: Vec<String>,
        /// Columns and rows of a terminal; absent: none.
        terminal: Option<(u16, u16)>,
    },
    /// The serial console of a virtual machine.
    Console {
        /// Uid of the Deployment.
        deployment: Uuid,
        /// Which application.
        application: String,
    },
}

/// Whether it was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Opened {
    /// Bytes follow.
    Yes,
    /// Nothing follows; why.
    No(String),
}
