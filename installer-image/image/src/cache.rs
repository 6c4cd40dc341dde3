//! Stages cached by the hash of their inputs, in a folder outside the repository.
//!
//! An entry is a folder that appears whole (built beside, then renamed) and is never changed afterwards. A few of each
//! kind are kept, the others go when a new one is made. Nothing here knows what is in it.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::error::{BuildError, at};
use crate::progress;

/// Entries of one kind that stay: a branch or two beside the main line.
const KEPT: usize = 4;
/// Written at each use of an entry, for its time.
const USED: &str = ".used";

/// Whether entries of earlier runs count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Take what is there.
    Yes,
    /// Build every stage again.
    No,
}

/// A folder of finished stages.
#[derive(Debug)]
pub struct Cache {
    root: PathBuf,
    reuse: Reuse,
}

/// The hash of a stage's inputs.
#[derive(Debug, Clone)]
pub(crate) struct Key(Sha256);

impl Key {
    /// A key for a kind of stage. `revision` grows when the stage's own code changes its output.
    pub(crate) fn of(kind: &str, revision: u32) -> Self {
        Self(Sha256::new()).and(kind).and(revision.to_string())
    }

    /// Adds an input. Lengths are hashed too, so that two inputs never run together.
    pub(crate) fn and(mut self, input: impl AsRef<[u8]>) -> Self {
        let bytes = input.as_ref();
        self.0.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a file's contents.
    pub(crate) fn and_file(self, path: &Path) -> Result<Self, BuildError> {
        let bytes = fs::read(path).map_err(at(path))?;
        Ok(self.and(bytes))
    }

    /// The hash so far, as the name of an entry.
    pub(crate) fn name(&self) -> String {
        let digest = self.0.clone().finalize();
        digest.iter().take(16).map(|b| format!("{b:02x}")).collect()
    }
}

impl Cache {
    /// A cache in `root`, which is made when it is needed.
    #[must_use]
    pub fn new(root: PathBuf, reuse: Reuse) -> Self {
        Self { root, reuse }
    }

    /// `$CAIRN_CACHE`, else `~/.cache/cairn`.
    #[must_use]
    pub fn default_root() -> PathBuf {
        let home = || std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".cache/cairn"));
        let chosen = std::env::var_os("CAIRN_CACHE").map(PathBuf::from).or_else(home);
        chosen.unwrap_or_else(|| PathBuf::from("/var/cache/cairn"))
    }

    /// A folder for state that is not a stage, such as apt's lists.
    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The entry of `kind` with this key; when it is not there, `fill` makes it in an empty folder.
    pub(crate) fn entry(
        &self,
        kind: &str,
        key: &Key,
        fill: impl FnOnce(&Path) -> Result<(), BuildError>,
    ) -> Result<PathBuf, BuildError> {
        let parent = self.root.join(kind);
        let entry = parent.join(key.name());
        if self.reuse == Reuse::Yes && entry.is_dir() {
            progress::cached(kind);
            mark_used(&entry)?;
            return Ok(entry);
        }
        // Two builds may run at once; each has its own folder, and the last rename wins.
        let work = parent.join(format!(".{}.{}", key.name(), std::process::id()));
        clear(&work)?;
        fs::create_dir_all(&work).map_err(at(&work))?;
        let made = progress::stage(kind, || fill(&work));
        if let Err(error) = made {
            clear(&work)?;
            return Err(error);
        }
        clear(&entry)?;
        fs::rename(&work, &entry).map_err(at(&entry))?;
        mark_used(&entry)?;
        prune(&parent)?;
        Ok(entry)
    }
}

fn mark_used(entry: &Path) -> Result<(), BuildError> {
    let mark = entry.join(USED);
    fs::write(&mark, "x").map_err(at(&mark))
}

/// Removes all but the entries used last. Folders without a mark are being made.
fn prune(parent: &Path) -> Result<(), BuildError> {
    let entries = fs::read_dir(parent).map_err(at(parent))?.flatten().map(|entry| entry.path());
    let used = |path: &PathBuf| fs::metadata(path.join(USED)).and_then(|mark| mark.modified()).ok();
    let mut entries: Vec<_> = entries.filter_map(|path| Some((used(&path)?, path))).collect();
    entries.sort();
    let surplus = entries.len().saturating_sub(KEPT);
    entries.iter().take(surplus).try_for_each(|(_, path)| clear(path))
}

fn clear(path: &Path) -> Result<(), BuildError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_do_not_run_together() {
        assert_ne!(Key::of("a", 1).and("bc").and("d").name(), Key::of("a", 1).and("b").and("cd").name());
        assert_eq!(Key::of("a", 1).and("b").name(), Key::of("a", 1).and("b").name());
    }

    #[test]
    fn a_stage_runs_once_and_a_failed_one_leaves_nothing() {
        let root = std::env::temp_dir().join(format!("cairn-cache-{}", std::process::id()));
        let cache = Cache::new(root.clone(), Reuse::Yes);
        let key = Key::of("k", 1);
        let failed = cache.entry("k", &key, |_| Err(BuildError::NoSuite("x")));
        assert!(failed.is_err());
        let made = cache.entry("k", &key, |dir| fs::write(dir.join("f"), "1").map_err(at(dir))).unwrap();
        let again = cache.entry("k", &key, |_| panic!("the entry is there")).unwrap();
        assert_eq!(made, again);
        let off = Cache::new(root.clone(), Reuse::No);
        off.entry("k", &key, |dir| fs::write(dir.join("f"), "2").map_err(at(dir))).unwrap();
        assert_eq!(fs::read_to_string(made.join("f")).unwrap(), "2");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn the_entries_used_last_stay() {
        let root = std::env::temp_dir().join(format!("cairn-prune-{}", std::process::id()));
        let cache = Cache::new(root.clone(), Reuse::Yes);
        let key = |n: usize| Key::of("k", 1).and(n.to_string());
        let mut made = Vec::new();
        for n in 0..=KEPT {
            // The first is used again and again, the second only once.
            cache.entry("k", &key(0), |_| Ok(())).unwrap();
            made.push(cache.entry("k", &key(n), |_| Ok(())).unwrap());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let there: Vec<bool> = made.iter().map(|path| path.is_dir()).collect();
        assert_eq!(there, [true, false, true, true, true]);
        fs::remove_dir_all(root).unwrap();
    }
}
