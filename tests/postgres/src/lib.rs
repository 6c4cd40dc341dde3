//! A real PostgreSQL server for tests, of the machine's own package, in a folder of its own.
//!
//! It listens on a Unix socket in that folder and nowhere else, keeps what it has acknowledged (`fsync` is on), and is
//! gone when the last [`Postgres`] is. Not a mock: what passes here passes on PostgreSQL.

mod cluster;
mod programs;
mod server;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use cluster::Cluster;
pub use programs::MissingError;
use server::Server;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, postgres::PgConnectOptions};

/// A running server. Clones share it; it stops with the last.
#[derive(Debug, Clone)]
pub struct Postgres(Arc<Running>);

#[derive(Debug)]
struct Running {
    // Stops before its folder is removed.
    server: Mutex<Option<Server>>,
    cluster: Cluster,
    databases: Mutex<u32>,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// PostgreSQL is not installed.
    #[error(transparent)]
    Missing(#[from] MissingError),
    /// A folder could not be made, or a program not be started.
    #[error("cannot prepare PostgreSQL's folder")]
    Prepare(#[from] std::io::Error),
    /// `initdb` or `postgres` ended; what it said.
    #[error("{program} failed: {said}")]
    Failed {
        /// Which.
        program: &'static str,
        /// Its last lines.
        said: String,
    },
}

static SHARED: Mutex<Weak<Running>> = Mutex::new(Weak::new());

impl Postgres {
    /// A server of one's own, to be killed at will. Returns when it takes connections.
    pub fn start() -> Result<Self, StartError> {
        let cluster = Cluster::create()?;
        let server = Mutex::new(Some(cluster.serve()?));
        Ok(Self(Arc::new(Running { server, cluster, databases: Mutex::new(0) })))
    }

    /// The server that all tests of this process share while any of them runs.
    pub fn shared() -> Result<Self, StartError> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return Ok(Self(running));
        }
        let started = Self::start()?;
        *shared = Arc::downgrade(&started.0);
        Ok(started)
    }

    /// Makes a new, empty database and returns its `postgres://` address.
    pub async fn database(&self) -> Result<String, sqlx::Error> {
        let name = {
            let mut made = self.0.databases.lock().unwrap_or_else(PoisonError::into_inner);
            *made = made.saturating_add(1);
            format!("test_{made}")
        };
        let options: PgConnectOptions = self.0.cluster.url("postgres").parse()?;
        let mut maintenance = options.connect().await?;
        maintenance.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
        sqlx::Connection::close(maintenance).await?;
        Ok(self.0.cluster.url(&name))
    }

    /// Ends it as a crash does: nothing is written back, clients are cut off. What was committed stays.
    pub fn kill(&self) {
        if let Some(server) = self.server().take() {
            server.stop(nix::sys::signal::Signal::SIGQUIT);
        }
    }

    /// Starts it again after [`kill`](Self::kill), with the same databases under the same addresses.
    pub fn restart(&self) -> Result<(), StartError> {
        self.kill();
        *self.server() = Some(self.0.cluster.serve()?);
        Ok(())
    }

    fn server(&self) -> std::sync::MutexGuard<'_, Option<Server>> {
        self.0.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let server = self.server.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = server.take() {
            server.stop(nix::sys::signal::Signal::SIGINT);
        }
    }
}
