//! `cairn init --join`: a second provisioner of the same site, on the same PostgreSQL. It gets the keys and the configuration of
//! the first, but for what is of one machine: its address, and DHCP, which only one may answer.

use std::{
    fs, io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use cairn_store::Database;

use crate::{
    config::{self, Config},
    first_login, init, restore, rewrite,
    site_files::{self, KEYS, LIST, List},
};

/// What is joined, and as what.
#[derive(Debug)]
pub(crate) struct Join<'a> {
    /// A backup's folder or a data folder.
    pub(crate) from: &'a Path,
    /// Of this machine.
    pub(crate) address: Ipv4Addr,
    /// Makes client.json too.
    pub(crate) local_token: init::LocalToken,
}

/// Makes the second data folder.
pub(crate) fn run(dir: &Path, join: &Join<'_>) -> anyhow::Result<String> {
    let path = dir.join(config::FILE);
    if path.exists() {
        bail!("{} exists already: this site is initialised. Start it with: cairn serve", path.display());
    }
    restore::refuse_unfinished(dir)?;
    let from = join.from;
    let text = fs::read_to_string(from.join(config::FILE))
        .with_context(|| format!("{} is neither a backup nor a data folder", from.display()))?;
    let old =
        config::read(&text).with_context(|| format!("cairn.toml of {} is not valid", from.display()))?;
    let (text, config) = adapted(&text, &old, join.address)?;
    copy_keys(&from.join(KEYS), &dir.join(KEYS))?;
    let text = if from.join(LIST).exists() {
        let list = List::read(from)?;
        list.check(from)?;
        restore::named_files(dir, from, &list, &text)?
    } else {
        with_named_files(dir, &config, text)?
    };
    let url = first_login::url(join.address, config.listen.tls);
    init::local_access(dir, &url, join.local_token)?;
    let part = dir.join("cairn.toml.part");
    site_files::write(&part, text.as_bytes())?;
    fs::rename(&part, &path)?;
    let dhcp = if old.dhcp.is_some() {
        "\nDHCP stays with the other: of several, one provisioner answers it."
    } else {
        ""
    };
    Ok(format!(
        "{} is another provisioner of site {}, at {url}.{dhcp}\nCheck {}, then start it: cairn serve --data {0}",
        dir.display(),
        config.site,
        path.display(),
    ))
}

fn adapted(text: &str, old: &Config, address: Ipv4Addr) -> anyhow::Result<(String, Config)> {
    ensure!(
        matches!(old.database, Database::Postgres(_)),
        "the site keeps its tables in SQLite, which serves one provisioner. Move it first: cairn migrate --to postgres://USER@HOST/NAME"
    );
    ensure!(
        old.blobs.is_some(),
        "the site keeps its images in its own data folder, where this provisioner cannot read them. Set `blobs` in its cairn.toml \
         to a folder that both mount, copy its folder blobs there, and restart it (docs/guide/scale-out.md)"
    );
    let text = rewrite::without(text, "dhcp");
    let text = rewrite::set(&text, "address", Some(&format!("\"{address}\"")));
    let config = config::read(&text).context("the other's cairn.toml cannot be adapted")?;
    let same = (config.database == old.database) && (config.blobs == old.blobs) && (config.site == old.site);
    ensure!(
        same && config.dhcp.is_none() && config.address == address,
        "the other's cairn.toml cannot be adapted: write `address` on one line, and [dhcp] as a table of its own"
    );
    Ok((text, config))
}

/// The same keys, or none are there yet: hosts trust them.
fn copy_keys(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let bytes =
            fs::read(entry.path()).with_context(|| format!("cannot read {}", entry.path().display()))?;
        match fs::read(&target) {
            Ok(there) if there != bytes => {
                bail!("{} is of another site: give an empty folder", target.display())
            }
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("cannot read {}", target.display()));
            }
            _ => site_files::write(&target, &bytes)?,
        }
    }
    cairn_trust::SiteKeys::load(to).map(drop).context("these are no keys of a site")
}

/// From a data folder: a file that cairn.toml names is copied, unless this machine has it at the same place anyway.
fn with_named_files(dir: &Path, config: &Config, text: String) -> anyhow::Result<String> {
    let missing: Vec<PathBuf> =
        config.named_files().into_iter().filter(|path| !path.is_file()).map(Path::to_owned).collect();
    match missing.first() {
        None => Ok(text),
        Some(path) => bail!(
            "cairn.toml names {}, which is not on this machine: copy it there first, or join from a backup. {} was not made",
            path.display(),
            dir.display()
        ),
    }
}
