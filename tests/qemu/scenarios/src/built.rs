//! What the stories are about: the programs and bundles that `cargo xtask` has built and names in the environment.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cairn_lab::Site;

/// The provisioner (`CAIRN_BIN`).
pub(crate) fn cairn() -> Result<PathBuf> {
    named("CAIRN_BIN")
}

/// The bundles `*.cairn` (in `CAIRN_BUNDLES`), in the order of their names.
pub(crate) fn bundles() -> Result<Vec<PathBuf>> {
    let folder = named("CAIRN_BUNDLES")?;
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let is_bundle = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "cairn");
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_bundle).collect();
    ensure!(!found.is_empty(), "there are no bundles in {}", folder.display());
    found.sort();
    Ok(found)
}

/// The bundle whose file name begins with `name`.
pub(crate) fn bundle(name: &str) -> Result<PathBuf> {
    let is_it =
        |path: &PathBuf| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name));
    bundles()?.into_iter().find(is_it).with_context(|| format!("no bundle is called {name}"))
}

/// The installer's program (`CAIRN_INSTALLER_BIN`).
pub(crate) fn installer() -> Result<PathBuf> {
    named("CAIRN_INSTALLER_BIN")
}

/// Gives a site the bundles whose file names begin with `names`, each of which must be there.
pub(crate) fn add_bundles(site: &Site<'_>, names: &[&str]) -> Result<()> {
    for name in names {
        site.call(&["image", "add", &bundle(name)?.to_string_lossy()])?;
    }
    Ok(())
}

/// The workspace that this program was built from.
pub(crate) fn root() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).context("no workspace")?;
    Ok(root.to_owned())
}

fn named(variable: &str) -> Result<PathBuf> {
    let value = std::env::var_os(variable)
        .with_context(|| format!("{variable} is not set: use `cargo xtask test NAME`"))?;
    std::fs::canonicalize(Path::new(&value)).with_context(|| format!("{variable} names nothing"))
}
