//! What the agent of an installed host says on its one connection.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Every 10 s: I am here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Random for each boot.
    pub boot_id: Uuid,
    /// Seconds since the kernel started.
    pub uptime_s: u64,
    /// Running slot: `a` or `b`.
    pub slot: String,
    /// Bytes of memory that the agent itself holds (VmRSS).
    pub agent_rss: u64,
    /// Version of the agent.
    pub agent_version: String,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatReply {
    /// Seconds until the next.
    pub next_s: u32,
}
