//! The tree of files, and a directory's entries: short names, long names, sizes.
//!
//! Not the place of anything on the volume: `volume` gives the clusters.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::EspError;

pub(super) const ENTRY: usize = 32;
pub(super) const LABEL: [u8; 11] = *b"ESP        ";
const ATTRIBUTE_VOLUME: u8 = 0x08;
const ATTRIBUTE_DIRECTORY: u8 = 0x10;
const ATTRIBUTE_ARCHIVE: u8 = 0x20;
const ATTRIBUTE_LONG_NAME: u8 = 0x0f;
const LAST_LONG_ENTRY: u8 = 0x40;
/// UTF-16 units in one long-name entry, and where they lie in it.
const LONG_UNITS: usize = 13;
const LONG_PLACES: [usize; LONG_UNITS] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
/// 1980-01-01: year 0, month 1, day 1.
const DATE: u16 = 1 << 5 | 1;
/// `~9999` at the most, so that four characters of the name remain.
const MAX_TAIL: u32 = 9999;

/// A name that is in use.
#[derive(Debug)]
pub(super) struct Taken;

/// A directory under construction; keys are upper-case names, the way FAT compares.
#[derive(Debug, Default)]
pub(super) struct Directory<'a> {
    pub(super) children: BTreeMap<String, (String, Node<'a>)>,
}

#[derive(Debug)]
pub(super) enum Node<'a> {
    File(&'a [u8]),
    Directory(Directory<'a>),
}

/// What an entry says beside its name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Length in bytes.
    File(u32),
    Directory,
}

impl<'a> Directory<'a> {
    pub(super) fn insert(&mut self, parts: &[&str], data: &'a [u8]) -> Result<(), Taken> {
        let Some((name, rest)) = parts.split_first() else { return Err(Taken) };
        let key = name.to_ascii_uppercase();
        if rest.is_empty() {
            return match self.children.entry(key) {
                Entry::Occupied(_) => Err(Taken),
                Entry::Vacant(place) => {
                    place.insert(((*name).to_owned(), Node::File(data)));
                    Ok(())
                }
            };
        }
        let new = || ((*name).to_owned(), Node::Directory(Directory::default()));
        match &mut self.children.entry(key).or_insert_with(new).1 {
            Node::Directory(directory) => directory.insert(rest, data),
            Node::File(_) => Err(Taken),
        }
    }

    /// The short name of each child, in the children's order, and whether it needs a long one too.
    pub(super) fn short_names(&self) -> Result<Vec<ShortName>, EspError> {
        let exact = |name: &String| ShortName::exact(name);
        let mut used: BTreeSet<_> = self.children.values().filter_map(|(name, _)| exact(name)).collect();
        let mut names = Vec::with_capacity(self.children.len());
        for (name, _) in self.children.values() {
            names.push(match exact(name) {
                Some(short) => ShortName { bytes: short, long: Vec::new() },
                None => ShortName::numbered(name, &mut used)?,
            });
        }
        Ok(names)
    }
}

/// An 8.3 name, padded with spaces, and the long name beside it (empty when the short one says it all).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ShortName {
    bytes: [u8; 11],
    long: Vec<u16>,
}

impl ShortName {
    /// The name itself, if it is an upper-case 8.3 name.
    fn exact(name: &str) -> Option<[u8; 11]> {
        let (base, extension) = name.split_once('.').unwrap_or((name, ""));
        let dotted = name.ends_with('.') || base.is_empty();
        let legal = base.bytes().chain(extension.bytes()).all(short_character);
        (!dotted && legal && base.len() <= 8 && extension.len() <= 3).then(|| padded(base, extension))
    }

    fn numbered(name: &str, used: &mut BTreeSet<[u8; 11]>) -> Result<Self, EspError> {
        let (base, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let base = shortened(base, 8);
        let extension = shortened(extension, 3);
        for tail in 1..=MAX_TAIL {
            let tail = format!("~{tail}");
            let keep = base.len().min(8 - tail.len());
            let bytes = padded(&format!("{}{tail}", &base[..keep]), &extension);
            if used.insert(bytes) {
                return Ok(Self { bytes, long: name.encode_utf16().collect() });
            }
        }
        Err(EspError::Crowded { name: name.into() })
    }

    /// Entries that the name takes.
    pub(super) fn entries(&self) -> usize {
        1 + self.long.len().div_ceil(LONG_UNITS)
    }

    /// Appends the entries: the long name's parts from the last to the first, then the short one.
    pub(super) fn write(&self, out: &mut Vec<u8>, kind: Kind, cluster: u32) {
        let checksum = self.bytes.iter().fold(0_u8, |sum, b| sum.rotate_right(1).wrapping_add(*b));
        let parts = self.long.chunks(LONG_UNITS);
        let last = parts.len();
        for (number, units) in (1_u8..).zip(parts).collect::<Vec<_>>().into_iter().rev() {
            let flag = if usize::from(number) == last { LAST_LONG_ENTRY } else { 0 };
            let mut entry = [0xff; ENTRY];
            entry[0] = number | flag;
            entry[11..14].copy_from_slice(&[ATTRIBUTE_LONG_NAME, 0, checksum]);
            entry[26..28].fill(0);
            // The name ends with one 0, then 0xffff fills the entry.
            for (place, unit) in LONG_PLACES.iter().zip(units.iter().chain([&0])) {
                entry[*place..place + 2].copy_from_slice(&unit.to_le_bytes());
            }
            out.extend_from_slice(&entry);
        }
        out.extend_from_slice(&short_entry(self.bytes, kind, cluster));
    }
}

/// The entry of the volume's label, for the root directory.
pub(super) fn label_entry() -> [u8; ENTRY] {
    let mut entry = short_entry(LABEL, Kind::File(0), 0);
    entry[11] = ATTRIBUTE_VOLUME;
    entry
}

/// `.` and `..`; the root's cluster is written as 0.
pub(super) fn dot_entries(own: u32, parent: u32) -> [u8; 2 * ENTRY] {
    let mut entries = [0; 2 * ENTRY];
    entries[..ENTRY].copy_from_slice(&short_entry(*b".          ", Kind::Directory, own));
    entries[ENTRY..].copy_from_slice(&short_entry(*b"..         ", Kind::Directory, parent));
    entries
}

fn short_entry(name: [u8; 11], kind: Kind, cluster: u32) -> [u8; ENTRY] {
    let (attribute, size) = match kind {
        Kind::File(size) => (ATTRIBUTE_ARCHIVE, size),
        Kind::Directory => (ATTRIBUTE_DIRECTORY, 0),
    };
    let [c0, c1, c2, c3] = cluster.to_le_bytes();
    let date = DATE.to_le_bytes();
    let mut entry = [0; ENTRY];
    entry[..11].copy_from_slice(&name);
    entry[11] = attribute;
    entry[16..18].copy_from_slice(&date); // created
    entry[18..20].copy_from_slice(&date); // accessed
    entry[20..22].copy_from_slice(&[c2, c3]);
    entry[24..26].copy_from_slice(&date); // written
    entry[26..28].copy_from_slice(&[c0, c1]);
    entry[28..].copy_from_slice(&size.to_le_bytes());
    entry
}

fn short_character(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit() || b"!#$%&'()-@^_`{}~".contains(&b)
}

/// Upper case, without dots and spaces, other characters replaced, cut to `length`. May be empty: the tail names it.
fn shortened(text: &str, length: usize) -> String {
    let upper = text.bytes().filter(|b| !b". ".contains(b)).map(|b| b.to_ascii_uppercase());
    upper.map(|b| if short_character(b) { char::from(b) } else { '_' }).take(length).collect()
}

/// `base` has at most 8 and `extension` at most 3 ASCII characters.
fn padded(base: &str, extension: &str) -> [u8; 11] {
    let mut name = [b' '; 11];
    name[..base.len()].copy_from_slice(base.as_bytes());
    name[8..8 + extension.len()].copy_from_slice(extension.as_bytes());
    name
}
