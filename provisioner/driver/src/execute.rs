//! What runs effects; the server wires it to the crates that hold connections.

use std::{error::Error, fmt};

use cairn_domain::Effect;
use futures_util::future::BoxFuture;

/// Why an effect was not carried out; it is tried again.
#[derive(Debug, thiserror::Error)]
#[error("cannot carry out an effect")]
pub struct ExecuteError(#[source] Box<dyn Error + Send + Sync>);

impl ExecuteError {
    /// Wraps the cause.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// Runs effects. Each may run twice, and after a restart.
pub trait Execute: fmt::Debug + Send + Sync + 'static {
    /// Runs one.
    fn execute(&self, effect: Effect) -> BoxFuture<'_, Result<(), ExecuteError>>;
}
