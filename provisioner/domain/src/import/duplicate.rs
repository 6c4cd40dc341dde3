//! What may be in a file once: each identity, and names. A line whose other values are wrong counts too, or its repair
//! would bring the clash back. Also makes up the names that lines do not have.

use std::collections::HashMap;

use super::{Entry, LineError, row::slug};
use cairn_contract::{Digest, Mac};

/// What earlier lines had, with their numbers.
#[derive(Default)]
pub(super) struct Seen {
    serials: HashMap<String, usize>,
    uuids: HashMap<String, usize>,
    macs: HashMap<Mac, usize>,
    eks: HashMap<Digest, usize>,
    /// By project and name.
    names: HashMap<(Option<String>, String), usize>,
}

impl Seen {
    /// Adds an error for each value of `entry` that an earlier line has, and a name if it has none.
    pub(super) fn check(&mut self, line: usize, entry: &mut Entry, errors: &mut Vec<LineError>) {
        let mut clash = |what, value: String, earlier: Option<usize>| {
            if let Some(line) = earlier {
                errors.push(LineError::Duplicate { what, value, line });
            }
        };
        if let Some(serial) = &entry.serial {
            clash("serial number", serial.clone(), put(&mut self.serials, serial.to_ascii_lowercase(), line));
        }
        if let Some(uuid) = &entry.uuid {
            clash("UUID", uuid.clone(), put(&mut self.uuids, uuid.clone(), line));
        }
        for mac in &entry.macs {
            clash("MAC", mac.to_string(), put(&mut self.macs, *mac, line));
        }
        if let Some(ek) = &entry.ek {
            clash("EK", ek.to_string(), put(&mut self.eks, *ek, line));
        }
        if entry.name.is_empty() {
            // Nothing to make a name of: an error says so already.
            let Some(name) = self.free_name(entry) else { return };
            entry.name = name;
        }
        let key = (entry.project.clone(), entry.name.clone());
        clash("name", entry.name.clone(), put(&mut self.names, key, line));
    }

    /// Of the serial number if it serves; with the start of a digest where another line has that name.
    fn free_name(&self, entry: &Entry) -> Option<String> {
        let (plain, of) = proposed(entry)?;
        if !self.names.contains_key(&(entry.project.clone(), plain.clone())) {
            return Some(plain);
        }
        let tail: String = Digest::of(of.as_bytes()).to_string().chars().take(8).collect();
        let head: String = plain.chars().take(54).collect();
        Some(format!("{}-{tail}", head.trim_end_matches('-')))
    }
}

/// A name, and what it was made of.
fn proposed(entry: &Entry) -> Option<(String, String)> {
    let by_serial = entry.serial.as_ref().and_then(|s| Some((slug(s)?, s.clone())));
    // Vendors begin their UUIDs alike; the end tells machines apart.
    let by_uuid = || entry.uuid.as_ref().map(|u| (host(u.chars().skip(24)), u.clone()));
    let by_mac =
        || entry.macs.first().map(|m| (host(m.to_string().chars().filter(|c| *c != ':')), m.to_string()));
    let by_ek = || entry.ek.map(|ek| (host(ek.to_string().chars().take(8)), ek.to_string()));
    // A serial number of signs alone.
    let by_digest = || {
        let tail = entry.serial.as_ref().map(|s| Digest::of(s.as_bytes()).to_string());
        tail.map(|t| (host(t.chars().take(8)), t))
    };
    by_serial.or_else(by_uuid).or_else(by_mac).or_else(by_ek).or_else(by_digest)
}

fn host(tail: impl Iterator<Item = char>) -> String {
    format!("host-{}", tail.collect::<String>())
}

/// The earlier line with this value, which stays.
fn put<K: std::hash::Hash + Eq>(seen: &mut HashMap<K, usize>, value: K, line: usize) -> Option<usize> {
    let first = *seen.entry(value).or_insert(line);
    (first != line).then_some(first)
}
