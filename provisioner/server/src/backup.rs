//! `cairn backup`: everything of a site in one folder, made while the server serves, or without it. A folder is complete when it
//! has its name: until then it is called `.NAME.part`, and the next backup removes it.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use cairn_cli::Globals;
use cairn_contract::Timestamp;
use cairn_domain::{
    audit::{Actor, Deed, Outcome},
    model::{Namespace, rfc3339},
};
use cairn_operator::{Backup, Backups, BackupsError};
use cairn_store::{Clock, OpenError, Store, SystemClock};
use futures_util::{FutureExt as _, future::BoxFuture};

use crate::{
    config::{self, Config},
    restore,
    site_files::{self, LIST, List},
};

/// Folder of backups in the data folder.
const FOLDER: &str = "backups";
/// Held while one is made.
const LOCK: &str = ".lock";

/// Backups of the running server.
pub(crate) struct SiteBackups {
    pub(crate) store: Store,
    pub(crate) data: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Backups for SiteBackups {
    fn make(&self, name: Option<String>, by: Actor) -> BoxFuture<'_, Result<Backup, BackupsError>> {
        async move {
            let at = self.clock.now();
            let name = name.unwrap_or_else(|| free_name(&self.data, at));
            cairn_domain::name::check(&name).map_err(|_| BackupsError::Name(name.clone()))?;
            let to = self.data.join(FOLDER).join(&name);
            make(&Source { store: &self.store, dir: &self.data }, &to, by, at).await
        }
        .boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Backup>, BackupsError>> {
        let folder = self.data.join(FOLDER);
        let listed = tokio::task::spawn_blocking(move || list(&folder));
        async move { listed.await.map_err(failed)?.map_err(failed) }.boxed()
    }
}

/// What is backed up.
struct Source<'a> {
    store: &'a Store,
    dir: &'a Path,
}

/// `20261122-174500`
fn named_by(at: Timestamp) -> String {
    let text = rfc3339(at).unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_digit).take(14).collect();
    match digits.split_at_checked(8) {
        Some((day, time)) => format!("{day}-{time}"),
        None => digits,
    }
}

/// The time, and a number where several are made in one second.
fn free_name(dir: &Path, at: Timestamp) -> String {
    let name = named_by(at);
    let mut names = std::iter::once(name.clone()).chain((2_u32..).map(|n| format!("{name}-{n}")));
    names.find(|name| !dir.join(FOLDER).join(name).exists()).unwrap_or(name)
}

async fn make(source: &Source<'_>, to: &Path, by: Actor, at: Timestamp) -> Result<Backup, BackupsError> {
    let name = to.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let part = to.with_file_name(format!(".{name}.part"));
    let lock = begin(source.dir, &part)?;
    if to.exists() {
        return Err(BackupsError::Exists(name));
    }
    let made = fill(source, &part, at).await;
    let list = match made {
        Ok(list) => list,
        Err(error) => {
            // On a full disk it is in the way.
            drop(fs::remove_dir_all(&part));
            return Err(because(error));
        }
    };
    let backup = described(to, &list);
    let deed = deed(by, &backup);
    if let Err(error) = source.store.audit(at, &[deed]).await {
        drop(fs::remove_dir_all(&part));
        return Err(failed(error));
    }
    let named = fs::rename(&part, to).and_then(|()| sync(to.parent()));
    named.map_err(|e| because(e.into()))?;
    drop(lock);
    Ok(backup)
}

fn sync(folder: Option<&Path>) -> io::Result<()> {
    folder.map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Takes the lock, and removes what an interrupted backup left.
fn begin(dir: &Path, part: &Path) -> Result<File, BackupsError> {
    let folder = dir.join(FOLDER);
    let begin = || {
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let lock = File::create(folder.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") && name.as_encoded_bytes().ends_with(b".part") {
                fs::remove_dir_all(entry.path())?;
            }
        }
        match fs::remove_dir_all(part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => {
                DirBuilder::new().recursive(true).mode(0o700).create(part).map(|()| Some(lock))
            }
        }
    };
    begin().map_err(|e| because(e.into()))?.ok_or(BackupsError::UnderWay)
}

/// Everything but its name.
async fn fill(source: &Source<'_>, part: &Path, at: Timestamp) -> anyhow::Result<List> {
    let saved = source.store.backup(part, at).await?;
    let (dir, part) = (source.dir.to_owned(), part.to_owned());
    let rest = tokio::task::spawn_blocking(move || {
        let (files, named) = site_files::save(&dir, &part)?;
        let list = List {
            format: List::form(),
            site: Config::load(&dir)?.site,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            created: saved.created,
            revision: saved.revision,
            rows: saved.rows,
            tables: site_files::tables(&part)?,
            blobs: site_files::blobs(&part)?,
            files,
            named,
        };
        list.write(&part)?;
        Ok(list)
    });
    rest.await?
}

fn described(folder: &Path, list: &List) -> Backup {
    Backup {
        name: folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        path: folder.display().to_string(),
        created: rfc3339(list.created).unwrap_or_default(),
        rows: list.rows,
        blobs: list.blobs.len() as u64,
        revision: list.revision,
    }
}

fn deed(by: Actor, backup: &Backup) -> Deed {
    Deed {
        actor: by,
        verb: "backup".to_owned(),
        kind: None,
        uid: None,
        namespace: Namespace::Appliance,
        name: backup.name.clone(),
        outcome: Outcome::Done,
        reason: String::new(),
        before: None,
        after: serde_json::to_value(backup).ok(),
    }
}

fn list(folder: &Path) -> anyhow::Result<Vec<Backup>> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|n| n.as_encoded_bytes().starts_with(b"."));
        if hidden || !path.join(LIST).is_file() {
            continue;
        }
        match List::read(&path) {
            Ok(list) => found.push(described(&path, &list)),
            Err(error) => tracing::warn!(error = format!("{error:#}"), "a backup cannot be listed"),
        }
    }
    found.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| b.name.cmp(&a.name)));
    Ok(found)
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BackupsError {
    BackupsError::Failed(error.into())
}

/// A full disk has its own word.
fn because(error: anyhow::Error) -> BackupsError {
    let full = |e: &io::Error| e.kind() == io::ErrorKind::StorageFull;
    if error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(full)) {
        return BackupsError::NoSpace;
    }
    failed(error)
}

/// Whether `cairn backup` can find the site on this machine, rather than at the server of a context.
pub(crate) fn is_local(globals: &Globals, args: &cairn_cli::BackupArgs) -> bool {
    args.command.is_none() && globals.context.is_none() && globals.data.join(config::FILE).is_file()
}

/// `cairn backup` here: by the server, or where none works on the data folder, without it.
pub(crate) async fn run(globals: &Globals, args: cairn_cli::BackupArgs) -> anyhow::Result<ExitCode> {
    let dir: &Path = &globals.data;
    let config = Config::load(dir)?;
    let store = match config.open(dir).await {
        Err(OpenError::InUse { .. }) => {
            let command = cairn_cli::Command::Backup(args);
            return cairn_cli::run(command, cairn_cli::Context::new(globals)).await;
        }
        store => store.context("cannot open the store")?,
    };
    restore::progress("no server runs on this data folder: backing up without it");
    let at = SystemClock.now();
    let to = match (&args.to, &args.name) {
        (Some(to), _) => std::path::absolute(to)?,
        (None, name) => {
            let name = name.clone().unwrap_or_else(|| free_name(dir, at));
            cairn_domain::name::check(&name).map_err(|_| BackupsError::Name(name.clone()))?;
            std::path::absolute(dir)?.join(FOLDER).join(name)
        }
    };
    let made = make(&Source { store: &store, dir }, &to, Actor::system("cairn backup"), at).await;
    store.close().await;
    let made = serde_json::to_value(made?)?;
    crate::print(globals, &cairn_cli::backup_text(&made), &made)
}
