//! What makes a site besides its tables and artifacts: configuration, keys, the files that the configuration names. How they lie
//! in a backup's folder, and its list of contents, which is written last.
//!
//! ```text
//! NAME/backup.json                  the list; a folder without it is no backup
//!      tables.zst, blobs/           of the store
//!      cairn.toml, keys/            as in the data folder
//!      client.json, operator-token.sha256
//!      files/0-roots.pem            files that cairn.toml names
//! ```

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use cairn_cli::ClientFile;
use cairn_contract::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{config, init};

/// The list's name.
pub(crate) const LIST: &str = "backup.json";
/// Folder of the site's keys.
pub(crate) const KEYS: &str = "keys";
const FORMAT: &str = "cairn-site/1";
const FILES: &str = "files";
/// More are no list.
const LARGEST_LIST: u64 = 64 << 20;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct List {
    pub(crate) format: String,
    pub(crate) site: String,
    /// Of the program that made it.
    pub(crate) version: String,
    pub(crate) created: Timestamp,
    pub(crate) revision: i64,
    pub(crate) rows: u64,
    /// The SHA-256 that ends the tables' file.
    pub(crate) tables: Digest,
    pub(crate) blobs: Vec<Digest>,
    /// SHA-256 of every other file, by its path in the folder.
    pub(crate) files: BTreeMap<String, Digest>,
    /// Files that cairn.toml names: by their path there, which of `files` they are.
    pub(crate) named: BTreeMap<String, String>,
}

/// Copies what belongs to the site in `dir` into `folder`: `files` and `named` of its list.
pub(crate) fn save(dir: &Path, folder: &Path) -> anyhow::Result<(BTreeMap<String, Digest>, Named)> {
    let config = config::Config::load(dir)?;
    let mut files = BTreeMap::new();
    let mut keep = |name: String, from: &Path| -> anyhow::Result<()> {
        let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        write(&folder.join(&name), &bytes)?;
        files.insert(name, Digest::of(&bytes));
        Ok(())
    };
    keep(config::FILE.to_owned(), &dir.join(config::FILE))?;
    for name in [ClientFile::NAME, init::TOKEN_FILE] {
        if dir.join(name).exists() {
            keep(name.to_owned(), &dir.join(name))?;
        }
    }
    let keys = dir.join(KEYS);
    for entry in fs::read_dir(&keys).with_context(|| format!("cannot read {}", keys.display()))? {
        let entry = entry?;
        if let (true, Ok(name)) = (entry.file_type()?.is_file(), entry.file_name().into_string()) {
            keep(format!("{KEYS}/{name}"), &entry.path())?;
        }
    }
    let mut named = BTreeMap::new();
    for (number, path) in config.named_files().into_iter().enumerate() {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let name = format!("{FILES}/{number}-{name}");
        keep(name.clone(), path)?;
        named.insert(path.display().to_string(), name);
    }
    Ok((files, named))
}

/// [`List::named`].
pub(crate) type Named = BTreeMap<String, String>;

impl List {
    /// A list of this version's form.
    pub(crate) fn form() -> String {
        FORMAT.to_owned()
    }

    /// Writes it into `folder`, whole or not at all.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let part = folder.join("backup.json.part");
        write(&part, &serde_json::to_vec_pretty(self)?)?;
        fs::rename(&part, folder.join(LIST))?;
        Ok(File::open(folder)?.sync_all()?)
    }

    /// Reads it from a backup's folder. Checks nothing else.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Form {
            format: String,
        }
        let path = folder.join(LIST);
        let file = match File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                bail!(
                    "{} is no backup: it has no {LIST}. Give the folder that `cairn backup` named; one without {LIST} was never finished",
                    folder.display()
                );
            }
            file => file.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let mut bytes = Vec::new();
        file.take(LARGEST_LIST).read_to_end(&mut bytes)?;
        let damaged = || damaged(&path);
        let form: Form = serde_json::from_slice(&bytes).with_context(damaged)?;
        ensure!(
            form.format == FORMAT,
            "{} has the form {:?}, which this version does not know; use a newer version of cairn",
            folder.display(),
            form.format
        );
        serde_json::from_slice(&bytes).with_context(damaged)
    }

    /// Checks that everything it names is in `folder` as it was written. The tables and artifacts are checked again, byte by
    /// byte, when they are read.
    pub(crate) fn check(&self, folder: &Path) -> anyhow::Result<()> {
        for (name, digest) in &self.files {
            ensure!(
                is_ours(name),
                "{} names {name:?}: that is no backup of cairn",
                folder.join(LIST).display()
            );
            let path = folder.join(name);
            let bytes = fs::read(&path).with_context(|| damaged(&path))?;
            ensure!(Digest::of(&bytes) == *digest, damaged(&path));
        }
        for digest in &self.blobs {
            let name = digest.to_string();
            let path = folder.join("blobs/sha256").join(name.get(..2).unwrap_or_default()).join(&name);
            ensure!(path.is_file(), "{}", missing(&path));
        }
        let path = folder.join(TABLES);
        ensure!(path.is_file(), "{}", missing(&path));
        ensure!(tables(folder).with_context(|| damaged(&path))? == self.tables, damaged(&path));
        Ok(())
    }
}

/// The tables' file; its last 32 bytes are the SHA-256 of those before.
const TABLES: &str = "tables.zst";

/// The SHA-256 at the end of the tables' file.
pub(crate) fn tables(folder: &Path) -> io::Result<Digest> {
    let mut file = File::open(folder.join(TABLES))?;
    file.seek(SeekFrom::End(-32))?;
    let mut end = [0; 32];
    file.read_exact(&mut end)?;
    Ok(Digest(end))
}

fn damaged(path: &Path) -> String {
    format!("{} is damaged or not complete; take another backup, or copy this one again", path.display())
}

fn missing(path: &Path) -> String {
    format!("{} is missing; take another backup, or copy this one again", path.display())
}

/// Whether a list may name it: what is written comes from there.
fn is_ours(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let plain = |part| matches!(part, Some(Component::Normal(_)));
    match parts.next().and_then(|part| part.as_os_str().to_str()) {
        Some(config::FILE | ClientFile::NAME | init::TOKEN_FILE) => parts.next().is_none(),
        Some(KEYS | FILES) => plain(parts.next()) && parts.next().is_none(),
        _ => false,
    }
}

/// All artifacts in a backup's folder.
pub(crate) fn blobs(folder: &Path) -> io::Result<Vec<Digest>> {
    let root = match fs::read_dir(folder.join("blobs/sha256")) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        root => root?,
    };
    let mut found = Vec::new();
    for group in root {
        for file in fs::read_dir(group?.path())? {
            found.extend(file?.file_name().to_str().and_then(|name| name.parse::<Digest>().ok()));
        }
    }
    found.sort_unstable_by_key(|digest| digest.0);
    Ok(found)
}

/// A file that only its owner reads, in folders that only their owner enters; on the disk when this returns.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || {
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Where a file that cairn.toml names is put in the data folder, when it cannot be where it was.
pub(crate) fn place(dir: &Path, name: &str) -> PathBuf {
    dir.join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_only_what_a_site_has() {
        for fine in ["cairn.toml", "keys/site-ca.key", "files/0-roots.pem", "client.json"] {
            assert!(is_ours(fine), "{fine}");
        }
        for foreign in [
            "",
            "/etc/passwd",
            "../x",
            "keys",
            "keys/../x",
            "keys/a/b",
            "cairn.db",
            "files/../../x",
            "cairn.toml/x",
        ] {
            assert!(!is_ours(foreign), "{foreign}");
        }
    }
}
