//! How people come in: what the operator side is told of identity, and one-time codes that appear while the server runs.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use cairn_identity::oidc::Provider;
use cairn_operator::AuthSettings;
use cairn_store::{Clock, Store};
use tokio_util::sync::CancellationToken;

use crate::{config::Config, in_words, init};

/// Between two looks for a new one-time code.
const LOOK: Duration = Duration::from_secs(5);

/// From `cairn.toml` and the data folder.
pub(crate) fn settings(dir: &Path, config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<AuthSettings> {
    let oidc = config.oidc.clone().map(Provider::new).transpose();
    Ok(AuthSettings {
        local_token: init::local_token(dir)?,
        data: dir.to_owned(),
        sessions: config.sessions,
        oidc: oidc.context("cannot use [oidc] of cairn.toml")?,
        clock: Arc::clone(clock),
    })
}

/// Tells the audit log of one-time codes that `cairn init` and `cairn admin code` made.
pub(crate) async fn note_codes(
    (dir, store): (std::path::PathBuf, Store),
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut last = String::new();
    loop {
        let noted = cairn_operator::note_code(&store, &dir, clock.now()).await;
        let problem = noted.err().map(|e| in_words(&e)).unwrap_or_default();
        if !problem.is_empty() && problem != last {
            tracing::warn!(error = problem, "a one-time code is not in the audit log");
        }
        last = problem;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
