//! A folder with a database cluster: made once, served any number of times.

use std::{
    os::unix::fs::{PermissionsExt as _, chown},
    process::Stdio,
};

use tempfile::TempDir;

use crate::{StartError, programs::Programs, server::Server};

#[derive(Debug)]
pub(crate) struct Cluster {
    programs: Programs,
    folder: TempDir,
}

impl Cluster {
    /// Makes a folder of the user that PostgreSQL runs as, and a cluster in it.
    pub(crate) fn create() -> Result<Self, StartError> {
        let programs = Programs::find()?;
        let folder = tempfile::Builder::new().prefix("cairn-pg-").tempdir()?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        if let Some(user) = &programs.user {
            chown(folder.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
        let cluster = Self { programs, folder };
        cluster.initialise()?;
        Ok(cluster)
    }

    fn initialise(&self) -> Result<(), StartError> {
        let made = self
            .programs
            .command("initdb", self.folder.path())
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .args(["--no-instructions", "--pgdata=data"])
            .stdin(Stdio::null())
            .output()?;
        match made.status.success() {
            true => Ok(()),
            false => Err(StartError::Failed {
                program: "initdb",
                said: String::from_utf8_lossy(&made.stderr).into_owned(),
            }),
        }
    }

    /// Starts the server, and returns when it takes connections.
    pub(crate) fn serve(&self) -> Result<Server, StartError> {
        let mut command = self.programs.command("postgres", self.folder.path());
        command
            .args(["-D", "data", "-c", "listen_addresses=", "-c", "unix_socket_directories=.."])
            // Small: there is one for each test program that runs. What makes commits durable stays as it is.
            .args(["-c", "shared_buffers=16MB", "-c", "max_connections=200", "-c", "log_min_messages=log"]);
        Server::start(command)
    }

    /// How to connect to one of its databases.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder.path().display())
    }
}
