//! Hearing what other provisioners commit to the same database, so that their changes wake this one's readers too.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{
    ReadError, Sharing, Store,
    db::{Db, Listener, News},
    host::Visible,
    open,
};

/// What a lost message costs at most.
const POLL: Duration = Duration::from_millis(500);

impl Store {
    /// Whether other provisioners may work on the same tables.
    pub fn sharing(&self) -> Sharing {
        match &self.db {
            Db::Sqlite { .. } => Sharing::Alone,
            Db::Postgres { .. } => Sharing::Shared,
        }
    }

    /// Passes on the wake-ups of other provisioners until `stop`: at once when the server tells of them, else by a look
    /// every 500 ms. With SQLite there are no others, and it only waits.
    pub async fn follow(&self, stop: CancellationToken) {
        let Db::Postgres { read, .. } = &self.db else { return stop.cancelled().await };
        let mut listener = Listener::default();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = listener.wait(read, POLL) => {}
            }
            // A server that is away is asked again after the next wait.
            let _ = self.look().await;
        }
    }

    async fn look(&self) -> Result<(), ReadError> {
        let news = self.announce(open::last_numbers(&self.db).await?, Visible::No);
        if news.change.is_some() {
            // A host may be among what changed.
            self.announce(News::default(), Visible::Yes);
        }
        Ok(())
    }
}
