//! What a pass finds on this machine, beside what it remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use cairn_contract::Digest;

use crate::order::Order;
use crate::state::State;

/// Largest managed file that is compared.
const MAX_FILE: u64 = 4 << 20;

/// The machine as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeFound {
    /// What was done so far.
    pub state: State,
    /// Contents of managed files that exist.
    pub files: BTreeMap<String, Digest>,
    /// Those of the order's `creates` paths and placed files that exist.
    pub paths: BTreeSet<String>,
    /// Units that the supervisor keeps.
    pub units: BTreeSet<String>,
}

impl NodeFound {
    /// Looks at what `order` and `state` name.
    pub(crate) fn look(order: &Order, state: &State, units: BTreeSet<String>) -> Self {
        let digest = |path: &String| {
            let small = fs::metadata(path).ok().is_some_and(|m| m.is_file() && m.len() <= MAX_FILE);
            let bytes = small.then(|| fs::read(path).ok()).flatten()?;
            Some((path.clone(), Digest::of(&bytes)))
        };
        let files = order.files().map(|f| &f.path).filter_map(digest).collect();
        let commands = order.stages.iter().flat_map(|s| s.setup.iter().chain(&s.finish));
        let creates = commands.filter_map(|once| once.command.creates.clone());
        let placed = state.placed.values().flat_map(|p| &p.files).map(|p| p.display().to_string());
        let paths = creates.chain(placed).filter(|path| Path::new(path).exists()).collect();
        Self { state: state.clone(), files, paths, units }
    }
}
