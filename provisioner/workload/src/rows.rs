//! Rows by subject and by host.

use std::collections::HashMap;

use cairn_domain::model::{Kind, Uid};

use crate::Assignment;

/// All rows.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    /// Each by host.
    by_subject: HashMap<Uid, Vec<&'a Assignment>>,
    /// Parts of clusters only.
    nodes: HashMap<Uid, Vec<&'a Assignment>>,
}

impl<'a> Rows<'a> {
    pub(crate) fn of(all: &'a [Assignment]) -> Self {
        let mut by_subject: HashMap<Uid, Vec<&Assignment>> = HashMap::new();
        let mut nodes: HashMap<Uid, Vec<&Assignment>> = HashMap::new();
        for row in all {
            by_subject.entry(row.subject).or_default().push(row);
            if row.kind == Kind::Cluster {
                nodes.entry(row.host).or_default().push(row);
            }
        }
        for rows in by_subject.values_mut() {
            rows.sort_unstable_by_key(|row| row.host);
        }
        Self { by_subject, nodes }
    }

    /// By host.
    pub(crate) fn of_subject(&self, subject: Uid) -> &[&'a Assignment] {
        self.by_subject.get(&subject).map_or(&[], Vec::as_slice)
    }

    /// The row of a subject at a host.
    pub(crate) fn at(&self, subject: Uid, host: Uid) -> Option<&'a Assignment> {
        find(self.of_subject(subject), host)
    }

    /// The parts of clusters that a host has, or had and has not given back.
    pub(crate) fn nodes_at(&self, host: Uid) -> &[&'a Assignment] {
        self.nodes.get(&host).map_or(&[], Vec::as_slice)
    }

    /// Subjects of all rows.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = (Uid, &[&'a Assignment])> {
        self.by_subject.iter().map(|(subject, rows)| (*subject, rows.as_slice()))
    }
}

/// In rows by host.
pub(crate) fn find<'a>(rows: &[&'a Assignment], host: Uid) -> Option<&'a Assignment> {
    let at = rows.binary_search_by_key(&host, |row| row.host).ok()?;
    rows.get(at).copied()
}
