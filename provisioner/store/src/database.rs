//! Where the tables are.

use std::fmt;

/// Where a store keeps its tables.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Database {
    /// `cairn.db` in the data directory. One provisioner.
    #[default]
    Sqlite,
    /// A PostgreSQL server, `postgres://user:password@host/database`. Several provisioners may share it.
    Postgres(String),
}

/// Whether other provisioners may work on the same tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// The data directory is locked: there are no others.
    Alone,
    /// There may be.
    Shared,
}

/// Without the address: it may hold a password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "Sqlite",
            Self::Postgres(_) => "Postgres(..)",
        })
    }
}
