//! What streams reach on the host itself: logs, programs in containers, consoles. `cairn-runtime` has them.

use std::fmt;

use cairn_contract::workload::tunnel::Open;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Opens what a stream asks for; never [`Open::ApiServer`].
pub trait Local: fmt::Debug + Send + Sync {
    /// Bytes, or why not, for people.
    fn open(&self, open: Open) -> BoxFuture<'_, Result<Box<dyn Duplex>, String>>;
}

/// A host that runs nothing itself.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

impl Local for Nothing {
    fn open(&self, _: Open) -> BoxFuture<'_, Result<Box<dyn Duplex>, String>> {
        Box::pin(async { Err("this host runs no containers or virtual machines itself".to_owned()) })
    }
}
