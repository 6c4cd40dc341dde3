//! Finding the machine's PostgreSQL, and running its programs as somebody who is not root: it refuses root.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use nix::unistd::{Uid, User};

/// PostgreSQL is not installed.
#[derive(Debug, thiserror::Error)]
#[error("these tests need a PostgreSQL server: install it with `apt-get install postgresql`")]
pub struct MissingError;

/// Where the programs are, and as whom they run.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
    /// Whom root becomes.
    pub(crate) user: Option<User>,
}

impl Programs {
    /// The newest version under `/usr/lib/postgresql`, else what PATH names.
    pub(crate) fn find() -> Result<Self, MissingError> {
        let packaged = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut versions: Vec<_> = packaged.map(|entry| entry.path()).collect();
        versions
            .sort_by_key(|path| path.file_name().and_then(OsStr::to_str).and_then(|v| v.parse::<u32>().ok()));
        let path = env::var_os("PATH").unwrap_or_default();
        let folder = (versions.into_iter().rev().map(|version| version.join("bin")))
            .chain(env::split_paths(&path))
            .find(|folder| ["initdb", "postgres"].iter().all(|p| folder.join(p).is_file()))
            .ok_or(MissingError)?;
        let somebody = || ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten());
        Ok(Self { folder, user: if Uid::effective().is_root() { somebody() } else { None } })
    }

    /// One of its programs. It gets SIGINT when the thread that starts it ends: a test that is killed leaves nothing behind.
    pub(crate) fn command(&self, program: &str, within: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.arg("--pdeathsig=INT");
        if let Some(user) = &self.user {
            command.args([format!("--reuid={}", user.uid), format!("--regid={}", user.gid)]);
            command.arg("--clear-groups");
        }
        command.arg("--").arg(self.folder.join(program));
        command.current_dir(within).env("LC_ALL", "C");
        command
    }
}
