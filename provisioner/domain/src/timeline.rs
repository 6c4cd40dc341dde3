//! One host's history as people read it, and what it took.

use cairn_contract::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fact::Note;

/// One line of a host's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Grows over the whole site.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub note: Note,
    /// The state that it led to, when it changed one.
    pub state: Option<String>,
}

/// One stretch of a host's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// The state's word.
    pub state: String,
    /// Since when.
    pub from: Timestamp,
    /// Milliseconds until the next state; absent for the present one.
    pub millis: Option<i64>,
}

/// How long the host spent in each state, in order.
pub fn phases(entries: &[Entry]) -> Vec<Phase> {
    let mut out: Vec<Phase> = Vec::new();
    for entry in entries {
        let Some(state) = &entry.state else { continue };
        if let Some(last) = out.last_mut() {
            if last.state == *state {
                continue;
            }
            last.millis = Some(entry.at.0.saturating_sub(last.from.0));
        }
        out.push(Phase { state: state.clone(), from: entry.at, millis: None });
    }
    out
}
