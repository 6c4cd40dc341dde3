//! Puts the provider's packages into the user's cache, once per lock file. Not into git's tree.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

const MANIFEST: &str = include_str!("../package.json");
const LOCK: &str = include_str!("../package-lock.json");

/// Why the provider's packages are not there.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// There is no npm.
    #[error("npm is not installed; install Node.js 20 or newer with npm (Debian: apt install nodejs npm)")]
    NoNpm,
    /// npm could not be run.
    #[error("cannot run npm")]
    Npm(#[source] io::Error),
    /// npm said no.
    #[error("npm ci failed; it needs the package registry once: {0}")]
    Refused(String),
    /// There is no place to put them.
    #[error("neither XDG_CACHE_HOME nor HOME is set; set one to a folder that may hold a cache")]
    NoCache,
    /// The place cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// Which place.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The folder whose `node_modules` has the provider.
pub(crate) fn install() -> Result<PathBuf, InstallError> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let cache = cache()?;
    let folder = cache.join(format!("oidc-{}", key()));
    if !folder.is_dir() {
        fill(&cache, &folder)?;
    }
    Ok(folder)
}

/// First half of the SHA-256 of what decides the packages.
fn key() -> String {
    let hash = Sha256::new().chain_update(MANIFEST).chain_update(LOCK).finalize();
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn cache() -> Result<PathBuf, InstallError> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let root = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(root.ok_or(InstallError::NoCache)?.join("cairn"))
}

/// Installs beside and renames, so that another process never sees half of it.
fn fill(cache: &Path, folder: &Path) -> Result<(), InstallError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| InstallError::Write { path, source }
    };
    std::fs::create_dir_all(cache).map_err(failed(cache))?;
    let fresh = tempfile::Builder::new().prefix("oidc-new-").tempdir_in(cache).map_err(failed(cache))?;
    for (name, text) in [("package.json", MANIFEST), ("package-lock.json", LOCK)] {
        std::fs::write(fresh.path().join(name), text).map_err(failed(fresh.path()))?;
    }
    npm_ci(fresh.path())?;
    match std::fs::rename(fresh.path(), folder) {
        Err(_) if folder.is_dir() => Ok(()), // another process was faster
        result => result.map_err(failed(folder)),
    }
}

fn npm_ci(folder: &Path) -> Result<(), InstallError> {
    let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    let out = Command::new("npm").args(arguments).current_dir(folder).output();
    let out = out.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => InstallError::NoNpm,
        _ => InstallError::Npm(error),
    })?;
    if out.status.success() {
        return Ok(());
    }
    Err(InstallError::Refused(String::from_utf8_lossy(&out.stderr).trim().to_owned()))
}
