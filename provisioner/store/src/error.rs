//! Errors that all reads and all plain writes share.

use std::sync::Arc;

/// What the machine, and not the request, is to blame for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// There is no room on the disk.
    Full,
    /// The PostgreSQL server is away, starting, or too busy: it may be there in a moment.
    Away,
}

/// Whether `error` or one of its causes is such a trouble.
pub fn trouble(error: &(dyn std::error::Error + 'static)) -> Option<Trouble> {
    std::iter::successors(Some(error), |e| e.source()).find_map(|cause| {
        let shared = cause.downcast_ref::<Arc<sqlx::Error>>().map(Arc::as_ref);
        of_database(cause.downcast_ref::<sqlx::Error>().or(shared)?)
    })
}

fn of_database(error: &sqlx::Error) -> Option<Trouble> {
    match error {
        sqlx::Error::Io(e) if e.kind() == std::io::ErrorKind::StorageFull => Some(Trouble::Full),
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Some(Trouble::Away),
        sqlx::Error::Database(e) => match e.code()?.as_ref() {
            // SQLITE_FULL, and PostgreSQL's disk_full.
            "13" | "53100" => Some(Trouble::Full),
            // Connection exceptions, too many connections, shutdown, crash, start, waited too long for a lock.
            code if code.starts_with("08") => Some(Trouble::Away),
            "53300" | "57P01" | "57P02" | "57P03" | "55P03" | "25P03" => Some(Trouble::Away),
            _ => None,
        },
        _ => None,
    }
}

/// Why the store could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// SQLite refused.
    #[error("cannot read the database")]
    Database(#[from] sqlx::Error),
    /// A column holds what this version does not understand: a newer version wrote it, or the file is damaged.
    #[error("column {column} holds an unexpected value")]
    Corrupt {
        /// Its name.
        column: &'static str,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Why the store could not be written. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// SQLite refused: a full or broken disk, mostly.
    #[error("cannot write the database")]
    Database(#[from] sqlx::Error),
    /// A value has no JSON form.
    #[error("cannot encode a value for the database")]
    Encode(#[from] serde_json::Error),
    /// What the write depends on could not be read.
    #[error("cannot read what the write depends on")]
    Read(#[from] ReadError),
    /// The transaction of several writes failed, and this one with it.
    #[error("cannot write the database")]
    Together(#[source] Arc<sqlx::Error>),
    /// A number does not fit in 63 bits.
    #[error("a number is too large for the database")]
    TooLarge(#[from] std::num::TryFromIntError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_away_is_known_through_all_causes() {
        let away = || sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into());
        assert_eq!(trouble(&WriteError::Read(ReadError::Database(away()))), Some(Trouble::Away));
        assert_eq!(trouble(&WriteError::Together(Arc::new(away()))), Some(Trouble::Away));
        let full = sqlx::Error::Io(std::io::ErrorKind::StorageFull.into());
        assert_eq!(trouble(&WriteError::Database(full)), Some(Trouble::Full));
        assert_eq!(trouble(&ReadError::Database(sqlx::Error::RowNotFound)), None);
    }
}
