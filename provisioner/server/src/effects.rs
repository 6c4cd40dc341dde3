//! The driver's effects, carried out. Each may run twice.

use std::sync::Arc;

use cairn_domain::Effect;
use cairn_driver::{Execute, ExecuteError};
use cairn_fleet::Leashes;
use cairn_store::{Clock, Store};
use futures_util::{FutureExt, future::BoxFuture};

/// Carries out effects.
#[derive(Debug)]
pub(crate) struct Effects {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) leashes: Arc<Leashes>,
}

impl Execute for Effects {
    fn execute(&self, effect: Effect) -> BoxFuture<'_, Result<(), ExecuteError>> {
        async move {
            match effect {
                Effect::Disconnect { host } => self.leashes.cut(host),
                Effect::VoidInstall { install } => {
                    self.store.void_install(install, self.clock.now()).await.map_err(ExecuteError::new)?;
                }
            }
            Ok(())
        }
        .boxed()
    }
}
