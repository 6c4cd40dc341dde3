//! Errors that all reads and all plain writes share.

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
    Together(#[source] std::sync::Arc<sqlx::Error>),
    /// A number does not fit in 63 bits.
    #[error("a number is too large for the database")]
    TooLarge(#[from] std::num::TryFromIntError),
}
