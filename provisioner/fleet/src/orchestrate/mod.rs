//! Keeps what hosts are told as the resources say: the one loop that calls `cairn_workload::plan` and writes what follows. Only
//! the provisioner that leads plans; any may take over at any time, because nothing is remembered here that is not in the store.
//!
//! ```text
//! catalog events --+                    +--> orders     -> rows, hosts' long polls wake
//! rows changed   --+-> debounced: plan -+--> statuses, clusters -> resources
//! rendered, time --+                    +--> tokens, renders    -> plan again
//! ```
//! Not here: what is to be done (`cairn-workload`), how texts become objects ([`crate::render`]), HTTP.

mod apply;
mod events;
mod ledger;
mod lines;
mod renders;

use std::{fmt, sync::Arc, time::Duration};

use cairn_contract::{Timestamp, workload::Registry};
use cairn_store::{Catalog, Clock, Store};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::render::Renderer;
use ledger::Ledger;
use renders::Renders;

/// After the last news it waits this long for more.
const SETTLE: Duration = Duration::from_millis(100);
/// It waits no longer than this, however much there is.
const AT_MOST: Duration = Duration::from_secs(2);
/// Deadlines pass without news: at least so often it looks.
const LOOK: Duration = Duration::from_secs(30);
/// A planner that is busy for long rests this many times as long between looks.
const REST: u32 = 10;
/// Who does not lead asks so often whether it does now.
const ASK: Duration = Duration::from_millis(500);
/// The database failed: it is asked again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether this provisioner is the one whose duty it is.
pub trait Leads: fmt::Debug + Send + Sync + 'static {
    /// Now.
    fn leads(&self) -> bool;
}

/// The loop's parts. One for each provisioner.
#[derive(Debug)]
pub struct Orchestrator {
    /// Rows.
    pub store: Store,
    /// Resources.
    pub catalog: Catalog,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Whose duty it is.
    pub duty: Arc<dyn Leads>,
    /// Texts to objects.
    pub renderer: Arc<Renderer>,
    /// Where hosts pull from.
    pub registry: Option<Registry>,
}

/// Why a round ended early. The next one does it all again.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error("cannot read what hosts were told")]
    Read(#[from] cairn_store::ReadError),
    #[error("cannot write what hosts are told")]
    Write(#[from] cairn_store::WriteError),
    #[error("cannot write a status or a cluster")]
    Batch(#[from] cairn_store::BatchError),
    #[error("cannot keep a bootstrap token")]
    Token(#[from] cairn_store::SecretError),
}

impl Orchestrator {
    /// Until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut renders = Renders::new(Arc::clone(&self.renderer));
        while !stop.is_cancelled() {
            if !self.duty.leads() {
                rest(&stop, ASK).await;
                continue;
            }
            if let Err(error) = self.lead(&mut renders, &stop).await {
                tracing::error!(error = chain(&error), "cannot plan what hosts run; trying again");
                rest(&stop, AGAIN).await;
            }
        }
    }

    /// As long as the duty is here and the database answers.
    async fn lead(&self, renders: &mut Renders, stop: &CancellationToken) -> Result<(), RoundError> {
        let mut news = events::News::new(&self.store, &self.catalog);
        let mut ledger = Ledger::load(&self.store).await?;
        let mut rest = LOOK;
        loop {
            if stop.is_cancelled() || !self.duty.leads() {
                return Ok(());
            }
            let began = Instant::now();
            let again = self.round(&mut ledger, renders).await?;
            rest = LOOK.max(began.elapsed().saturating_mul(REST)).min(rest.max(LOOK).saturating_mul(2));
            if again {
                continue;
            }
            if !self.settle(&mut news, &mut ledger, renders, (stop, rest)).await? {
                return Ok(());
            }
        }
    }

    /// Waits for news, and then until there is no more for a moment. `false`: to be stopped, or no longer the leader.
    async fn settle(
        &self,
        news: &mut events::News,
        ledger: &mut Ledger,
        renders: &mut Renders,
        (stop, look): (&CancellationToken, Duration),
    ) -> Result<bool, RoundError> {
        let mut until = Instant::now() + look;
        let mut end = None;
        loop {
            let heard = tokio::select! {
                () = stop.cancelled() => return Ok(false),
                heard = tokio::time::timeout_at(until, news.next(renders)) => heard,
            };
            match heard {
                Err(_) => return Ok(true),
                Ok(events::Heard::Rows) if !self.pull(ledger).await? => continue,
                Ok(events::Heard::Rows | events::Heard::Resources | events::Heard::Rendered) => {}
            }
            let now = Instant::now();
            let end = *end.get_or_insert(now + AT_MOST);
            if now >= end {
                return Ok(true);
            }
            until = (now + SETTLE).min(end);
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

async fn rest(stop: &CancellationToken, most: Duration) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(most) => {}
    }
}

fn chain(error: &RoundError) -> &(dyn std::error::Error + 'static) {
    error
}
