//! `cairn restore`: a whole site out of a backup, into an empty folder. `cairn.toml` comes last, as with `cairn init`: a folder
//! without it is no site. An interrupted restore leaves a mark by which the next one knows that it may begin anew.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, IsTerminal as _},
    net::Ipv4Addr,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use cairn_cli::ClientFile;
use cairn_contract::{Digest, Timestamp};
use cairn_domain::{
    audit::{Actor, Deed, Outcome},
    model::{Namespace, rfc3339},
};
use cairn_store::{Database, RestoreError, Store};
use serde_json::{Value, json};

use crate::{
    config::{self, Config},
    first_login, rewrite,
    site_files::{self, List},
};

/// There while a restore is not done.
pub(crate) const MARK: &str = "restore.unfinished";

/// What `cairn restore` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cairn restore /mnt/usb/20261122-174500 --data /var/lib/cairn\n  \
        cairn restore 20261122-174500 --data /srv/cairn --database postgres://cairn@db/cairn --address 10.77.0.2\n\n\
        The folder and the database must be empty. The old provisioner must not run any more: both would be the same site.")]
pub(crate) struct Args {
    /// Folder of the backup
    from: PathBuf,
    /// postgres://USER@HOST/NAME, an empty database; or sqlite: in the data folder [default: what the backup's cairn.toml says]
    #[arg(long, value_parser = config::database_of)]
    database: Option<Database>,
    /// Address of this machine, where it is another
    #[arg(long)]
    address: Option<Ipv4Addr>,
}

/// What was done.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) text: String,
    pub(crate) json: Value,
}

/// Restores into `dir`.
pub(crate) async fn run(dir: &Path, args: &Args, now: Timestamp) -> anyhow::Result<Restored> {
    let list = List::read(&args.from)?;
    progress("checking the backup");
    list.check(&args.from)?;
    let text = fs::read_to_string(args.from.join(config::FILE))?;
    let plan = Plan::new(&text, args)?;
    let mark = begin(dir)?;
    match fill(dir, &args.from, &list, &plan, now).await {
        Ok(found) => {
            fs::remove_file(dir.join(MARK)).context("cannot remove the mark of an unfinished restore")?;
            drop(mark);
            Ok(told(dir, &list, &plan, &found))
        }
        Err(error) => {
            clear(dir).context("cannot remove what was restored so far")?;
            drop(fs::remove_file(dir.join(MARK)));
            Err(error)
        }
    }
}

/// Steps, for people who wait.
pub(crate) fn progress(step: &str) {
    if io::stderr().is_terminal() {
        eprintln!("{step} ...");
    }
}

/// The new cairn.toml.
struct Plan {
    text: String,
    config: Config,
    database: Database,
}

impl Plan {
    fn new(text: &str, args: &Args) -> anyhow::Result<Self> {
        let old = config::read(text).context("cairn.toml of the backup is not valid")?;
        // Artifacts are in the backup, and come into the data folder.
        let mut text = rewrite::set(text, "blobs", None);
        let database = args.database.clone().unwrap_or(old.database);
        text = rewrite::set(&text, "database", config::quoted(&database).as_deref());
        let address = args.address.unwrap_or(old.address);
        text = rewrite::set(&text, "address", Some(&format!("\"{address}\"")));
        let config = config::read(&text).context("cairn.toml of the backup cannot be adapted")?;
        ensure!(
            config.database == database && config.address == address && config.blobs.is_none(),
            "cairn.toml of the backup cannot be adapted: write `database`, `address` and `blobs` on one line each"
        );
        Ok(Self { text, config, database })
    }
}

/// Makes sure that nothing is overwritten, and leaves the mark. It is locked: two restores are one too many.
fn begin(dir: &Path) -> anyhow::Result<File> {
    let shown = dir.display();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make {shown}"))?;
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {shown}"))?;
    let names: Vec<_> = entries.map(|e| e.map(|e| e.file_name())).collect::<Result<_, _>>()?;
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let other = names.iter().find(|name| *name != "lost+found");
    if let Some(other) = other
        && (!has(MARK) || has(config::FILE))
    {
        bail!(
            "{shown} is not empty (it holds {}): nothing was restored. Give a new or empty folder: --data DIR",
            other.display()
        );
    }
    let mark = File::create(dir.join(MARK)).with_context(|| format!("cannot write to {shown}"))?;
    match mark.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => bail!("another restore into {shown} is under way"),
        Err(fs::TryLockError::Error(error)) => return Err(error.into()),
    }
    clear(dir)?;
    mark.sync_all()?;
    File::open(dir)?.sync_all()?;
    Ok(mark)
}

/// Removes what a restore made, all but the mark.
fn clear(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        match entry.file_name() {
            name if name == MARK || name == "lost+found" => {}
            _ if entry.file_type()?.is_dir() => fs::remove_dir_all(entry.path())?,
            _ => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

/// What a restored site says of itself.
struct Found {
    rows: u64,
    sessions: u64,
    entries: u64,
    flaw: Option<String>,
}

async fn fill(dir: &Path, from: &Path, list: &List, plan: &Plan, now: Timestamp) -> anyhow::Result<Found> {
    progress("restoring tables and artifacts");
    let saved = Store::restore(from, dir, plan.database.clone()).await.map_err(with_advice)?;
    ensure!(
        (saved.rows, saved.revision, saved.created) == (list.rows, list.revision, list.created),
        "{} is of several backups: its tables are not those of its list",
        from.display()
    );
    let found = settle(dir, list, plan, now).await?;
    progress("restoring keys and configuration");
    let text = restore_files(dir, from, list, plan)?;
    let part = dir.join("cairn.toml.part");
    site_files::write(&part, text.as_bytes())?;
    fs::rename(&part, dir.join(config::FILE))?;
    File::open(dir)?.sync_all()?;
    Ok(found)
}

fn with_advice(error: RestoreError) -> anyhow::Error {
    let advice = match &error {
        RestoreError::NotEmpty { .. } => {
            "Make an empty database, and name it: --database postgres://USER@HOST/NAME"
        }
        RestoreError::Damaged { .. } | RestoreError::Blob { .. } | RestoreError::Form { .. } => {
            "Copy the backup again, or take another one"
        }
        RestoreError::Open(_) => "Is the database reachable? Is another cairn at work in the folder?",
        _ => return error.into(),
    };
    anyhow::Error::from(error).context(format!("nothing was restored. {advice}"))
}

/// Logs everybody out (a session may have been ended since the backup), checks the audit log, and writes into it.
async fn settle(dir: &Path, list: &List, plan: &Plan, now: Timestamp) -> anyhow::Result<Found> {
    let store =
        Store::open_with(dir, plan.database.clone()).await.context("cannot open what was restored")?;
    let sessions = store.forget_sessions(Timestamp(i64::MAX)).await?;
    let chain = store.verify_audit().await?;
    let deed = Deed {
        actor: Actor::system("cairn restore"),
        verb: "restore".to_owned(),
        kind: None,
        uid: None,
        namespace: Namespace::Appliance,
        name: list.site.clone(),
        outcome: Outcome::Done,
        reason: String::new(),
        before: None,
        after: Some(json!({ "created": rfc3339(list.created), "revision": list.revision })),
    };
    store.audit(now, &[deed]).await?;
    store.close().await;
    let flaw = chain.flaw.map(|flaw| flaw.to_string());
    Ok(Found { rows: list.rows, sessions, entries: chain.entries, flaw })
}

/// All files but cairn.toml, whose text this gives: where a file that it names lies elsewhere now, it says so.
fn restore_files(dir: &Path, from: &Path, list: &List, plan: &Plan) -> anyhow::Result<String> {
    for name in
        list.files.keys().filter(|name| *name != config::FILE && !list.named.values().any(|n| n == *name))
    {
        let bytes = fs::read(from.join(name)).with_context(|| format!("cannot read {name} of the backup"))?;
        site_files::write(&site_files::place(dir, name), &bytes)?;
    }
    if dir.join(ClientFile::NAME).exists() {
        let mut client = ClientFile::load(dir)?;
        client.url = first_login::url(plan.config.address, plan.config.listen.tls);
        client.save(dir)?;
    }
    named_files(dir, from, list, &plan.text)
}

/// Files that cairn.toml names stay where they are, if they are there as they were; else they come into the data folder.
pub(crate) fn named_files(dir: &Path, from: &Path, list: &List, text: &str) -> anyhow::Result<String> {
    let mut text = text.to_owned();
    for (path, name) in &list.named {
        let digest = list.files.get(name);
        if fs::read(path).is_ok_and(|bytes| Some(&Digest::of(&bytes)) == digest) {
            continue;
        }
        let new = std::path::absolute(site_files::place(dir, name))?;
        let bytes = fs::read(from.join(name)).with_context(|| format!("cannot read {name} of the backup"))?;
        site_files::write(&new, &bytes)?;
        text = rewrite::path(&text, Path::new(path), &new);
    }
    let config = config::read(&text).context("cairn.toml of the backup cannot be adapted")?;
    for path in config.named_files() {
        ensure!(path.is_file(), "cairn.toml names {}, which is not in the backup", path.display());
    }
    Ok(text)
}

fn told(dir: &Path, list: &List, plan: &Plan, found: &Found) -> Restored {
    let created = rfc3339(list.created).unwrap_or_default();
    let json = json!({
        "site": list.site, "data": dir, "created": created, "rows": found.rows, "blobs": list.blobs.len(),
        "revision": list.revision, "auditEntries": found.entries, "auditFlaw": found.flaw,
    });
    let chain = match &found.flaw {
        None => format!("The audit log is whole: {} entries.", found.entries),
        Some(flaw) => format!("The audit log did not hold in the backup already: {flaw}."),
    };
    let shown = dir.display();
    let text = format!(
        "Site {} is restored into {shown}, as of {created}: {} rows, {} artifacts. {chain}\n\
         Everybody must log in again ({} sessions ended). Tokens and passwords are those of then: what was revoked since is \
         valid again (cairn token ls).\n\nBefore you start it: the old provisioner must not run any more. Check {shown}/cairn.toml, then:\n  \
         cairn serve --data {shown}\n\nHosts reach it at {}; when that is another address than before, they need it in their network.",
        list.site,
        found.rows,
        list.blobs.len(),
        found.sessions,
        plan.config.address,
    );
    Restored { text, json }
}

/// Says that a folder holds half a site, if it does.
pub(crate) fn refuse_unfinished(dir: &Path) -> anyhow::Result<()> {
    if dir.join(MARK).exists() && !dir.join(config::FILE).exists() {
        bail!("a restore into {} was interrupted: run the same `cairn restore` again", dir.display());
    }
    Ok(())
}
