//! `cairn migrate`: moves the tables from SQLite to PostgreSQL or back, while no provisioner works on them. The line `database`
//! of cairn.toml changes last, when what was written has been read back: until then the site is where it was.

use std::{fs, path::Path};

use anyhow::{Context, bail, ensure};
use cairn_contract::Timestamp;
use cairn_domain::model::{Kind, Object, rfc3339};
use cairn_store::{Catalog, Database, OpenError, RestoreError, Store};
use serde_json::{Value, json};

use crate::{
    config::{self, Config},
    restore::progress,
    rewrite, site_files,
};

/// The lease that a provisioner of several holds while it works (`cairn-driver`).
const DUTY: &str = "driver";

/// What `cairn migrate` is told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cairn migrate --from sqlite --to postgres://cairn@db.example/cairn\n  cairn migrate --to sqlite\n\n\
        Stop the server first: systemctl stop cairn. The old database stays as it is.\n\
        Keep the password out of the address: PGPASSWORD, or ~/.pgpass of the user that runs cairn."
)]
pub(crate) struct Args {
    /// Where the tables are: sqlite, or postgres [default: what cairn.toml says]
    #[arg(long, value_parser = ["sqlite", "postgres"])]
    from: Option<String>,
    /// Where they go: sqlite, or postgres://USER@HOST/NAME, an empty database
    #[arg(long, value_parser = config::database_of)]
    to: Database,
}

/// What a store holds, to be compared.
struct Content {
    objects: Vec<Object>,
    revision: i64,
    entries: u64,
    hash: String,
}

/// Moves the tables of the site in `dir`.
pub(crate) async fn run(dir: &Path, args: &Args, now: Timestamp) -> anyhow::Result<(String, Value)> {
    let path = dir.join(config::FILE);
    let config = Config::load(dir)?;
    let from = config.database.clone();
    if let Some(said) = &args.from {
        ensure!(*said == word(&from), "{} says that the tables are in {}", path.display(), word(&from));
    }
    ensure!(from != args.to, "the tables are there already: {} says so", path.display());
    let text = planned(&fs::read_to_string(&path)?, &args.to)?;
    progress("reading");
    let source = open(dir, from.clone()).await?;
    unused(&source, now).await?;
    let before = content(&source).await?;
    source.close().await;
    drop(source);
    let kept = if args.to == Database::Sqlite { set_aside(dir, now)? } else { None };
    progress("moving");
    let saved = Store::migrate(dir, from.clone(), args.to.clone(), now).await.map_err(with_advice)?;
    progress("comparing");
    let target = open(dir, args.to.clone()).await?;
    let after = content(&target).await?;
    target.close().await;
    compare(&before, &after)?;
    let part = dir.join("cairn.toml.part");
    site_files::write(&part, text.as_bytes())?;
    fs::rename(&part, &path).context("cannot change cairn.toml")?;
    fs::File::open(dir)?.sync_all()?;
    let (rows, resources) = (saved.rows, before.objects.len());
    let json = json!({
        "from": word(&from), "to": word(&args.to), "rows": rows, "resources": resources,
        "revision": before.revision, "auditEntries": before.entries,
    });
    let old = match (&from, &kept) {
        (Database::Sqlite, _) => format!("{}/cairn.db", dir.display()),
        (Database::Postgres(_), None) => "the old database".to_owned(),
        (Database::Postgres(_), Some(kept)) => format!("the old database, and an older {kept}"),
    };
    let text = format!(
        "Moved {rows} rows from {} to {}: {resources} resources and {} entries of the audit log are there as they were.\n\
         {} says so now. Start the server: systemctl start cairn\nKept as it was: {old}. Remove it when all is well.",
        word(&from),
        word(&args.to),
        before.entries,
        path.display(),
    );
    Ok((text, json))
}

fn word(database: &Database) -> &'static str {
    match database {
        Database::Sqlite => "sqlite",
        Database::Postgres(_) => "postgres",
    }
}

/// The new cairn.toml; known to be good before anything is moved.
fn planned(text: &str, to: &Database) -> anyhow::Result<String> {
    let text = rewrite::set(text, "database", config::quoted(to).as_deref());
    let config = config::read(&text).context("cairn.toml cannot be changed")?;
    ensure!(config.database == *to, "cairn.toml cannot be changed: write `database` on one line");
    if *to == Database::Sqlite {
        ensure!(
            config.blobs.is_none(),
            "`blobs` of cairn.toml names a shared folder, and SQLite serves one provisioner: copy that folder to `blobs` in the \
             data folder and remove the line"
        );
    }
    Ok(text)
}

async fn open(dir: &Path, database: Database) -> anyhow::Result<Store> {
    match Store::open_with(dir, database).await {
        Err(error @ OpenError::InUse { .. }) => Err(anyhow::Error::from(error)
            .context("nothing was moved. Stop the server first: systemctl stop cairn")),
        store => store.context("nothing was moved: cannot open the database"),
    }
}

/// Others may serve from another data folder: whoever leads them holds a lease.
async fn unused(store: &Store, now: Timestamp) -> anyhow::Result<()> {
    match store.duty(DUTY).await?.filter(|duty| now < duty.until) {
        Some(duty) => bail!(
            "nothing was moved: provisioner {} works on the database. Stop all of them first; one that was killed is gone after 10 seconds",
            duty.holder
        ),
        None => Ok(()),
    }
}

/// A `cairn.db` of before: it is kept under another name.
fn set_aside(dir: &Path, now: Timestamp) -> anyhow::Result<Option<String>> {
    let stamp = rfc3339(now).unwrap_or_default().replace([':', '.'], "-");
    let mut kept = None;
    for name in ["cairn.db", "cairn.db-wal", "cairn.db-shm"] {
        let old = dir.join(name);
        if old.exists() {
            let new = name.replacen("cairn.db", &format!("cairn.db.before-{stamp}"), 1);
            fs::rename(&old, dir.join(&new)).with_context(|| format!("cannot rename {}", old.display()))?;
            kept.get_or_insert(new);
        }
    }
    Ok(kept)
}

fn with_advice(error: RestoreError) -> anyhow::Error {
    let advice = match &error {
        RestoreError::NotEmpty { .. } => "Make an empty database for it",
        RestoreError::Open(OpenError::InUse { .. }) => "Stop the server first: systemctl stop cairn",
        RestoreError::Open(_) => "Check the address, and that the user may make tables there",
        _ => "cairn.toml is as it was; what was begun in the new database can be dropped",
    };
    anyhow::Error::from(error).context(format!("nothing was moved. {advice}"))
}

async fn content(store: &Store) -> anyhow::Result<Content> {
    let catalog = Catalog::load(store.clone()).await.context("cannot read the resources")?;
    let (mut objects, revision) = {
        let index = catalog.index();
        let all = Kind::ALL.into_iter().flat_map(|kind| index.of_kind(kind).map(|o| Object::clone(o)));
        (all.collect::<Vec<_>>(), index.revision())
    };
    objects.sort_by_key(|object| object.metadata.uid);
    let chain = store.verify_audit().await.context("cannot read the audit log")?;
    Ok(Content { objects, revision, entries: chain.entries, hash: chain.hash })
}

fn compare(before: &Content, after: &Content) -> anyhow::Result<()> {
    let differs =
        "what was written is not what was read: cairn.toml still names the old database, which is whole";
    let counts = |c: &Content| (c.objects.len(), c.revision, c.entries);
    let (old, new) = (counts(before), counts(after));
    ensure!(old == new, "{differs} (resources, revision, audit entries: {old:?}, then {new:?})");
    ensure!(before.hash == after.hash, "{differs} (the audit log ends differently)");
    let other = before.objects.iter().zip(&after.objects).find(|(a, b)| a != b);
    if let Some((object, _)) = other {
        bail!("{differs} ({} {} differs)", object.kind(), object.metadata.name);
    }
    Ok(())
}
