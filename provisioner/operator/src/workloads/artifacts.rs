//! `PUT /artifacts/{key}`: a file that distributions name by its digest, into the folder of blobs. Streamed; its bytes must be
//! what the path says. Nothing tells who has which file: it is always taken, also when it is there.

use std::{io::Write as _, sync::Arc};

use axum::extract::{Request, State};
use bytes::Bytes;
use cairn_contract::Digest;
use cairn_domain::{
    access::{Decision, Place, word},
    model::{Kind as Resource, Namespace, Verb},
};
use cairn_store::{BlobError, Blobs};
use futures_util::StreamExt as _;
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{
    app::App,
    auth::Caller,
    json::Params,
    path::Key,
    problem::{Kind, Problem},
    refusal::{self, Attempt},
    resources::namespace,
    route::{Optional, Route},
    stream,
    uploads::Chunks,
};

/// Chunks between the network and the disk.
const AHEAD: usize = 16;

/// For whom a file is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Whose {
    /// Where the distribution is that will name it; absent: the appliance.
    namespace: Option<String>,
}

/// A file that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kept {
    /// SHA-256 of its bytes.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

pub(super) fn routes() -> Vec<Route> {
    let bytes =
        Arc::new(|_: &mut SchemaGenerator| schemars::json_schema!({ "type": "string", "format": "binary" }));
    vec![
        Route::put("/artifacts/{key}", put)
            .tag("distributions")
            .summary("Keep a file for distributions; the key is sha256: and its digest")
            .slow()
            .query::<Whose>()
            .takes_as("application/octet-stream", bytes, Optional::No)
            .gives::<Kept>(200, "It is kept")
            .problems(&[Kind::NoSpace, Kind::TooMany]),
    ]
}

async fn put(
    State(app): State<App>,
    caller: Caller,
    Key(key): Key,
    Params(whose): Params<Whose>,
    request: Request,
) -> Result<axum::Json<Kept>, Problem> {
    let place = namespace(whose.namespace.as_deref())?.unwrap_or(Namespace::Appliance);
    if let Err(problem) = allowed(&app, &caller, &place) {
        let attempt = Attempt { verb: "artifact.put", kind: Some(Resource::Distribution), name: &key };
        return Err(refusal::note(&app, &caller, attempt, problem).await);
    }
    let wanted = digest(&key)?;
    let (head, body) = request.into_parts();
    let (chunks, end) = stream::begin(&app, &head.headers, body)?;
    match keep(chunks, app.store.blobs().clone(), wanted).await {
        Ok(kept) => Ok(axum::Json(kept)),
        Err(problem) => Err(end.problem().unwrap_or(problem)),
    }
}

/// Whoever may make distributions there; a namespace that is hidden is one that does not exist.
fn allowed(app: &App, caller: &Caller, place: &Namespace) -> Result<(), Problem> {
    let decided =
        app.view(caller, |view| view.sight.decide(Verb::Create, Resource::Distribution, Place::In(place)));
    if decided == Decision::Allowed {
        return Ok(());
    }
    let at = if *place == Namespace::Appliance { "the appliance".to_owned() } else { place.to_string() };
    let detail = format!("You need the right \"{}\" on Distribution at {at}.", word(Verb::Create));
    Err(Problem::new(Kind::Forbidden, detail, "Ask an administrator, or name your own with ?namespace=.")
        .denied())
}

fn digest(key: &str) -> Result<Digest, Problem> {
    let hex = key.strip_prefix("sha256:").unwrap_or_default();
    hex.parse().map_err(|_| {
        let detail = "The last part of the path is no digest.";
        Problem::new(Kind::Invalid, detail, "Write sha256: and 64 hexadecimal digits.").at("key")
    })
}

/// Writes all chunks; nothing remains of them when they are others than was said.
async fn keep(mut chunks: Chunks, blobs: Blobs, wanted: Digest) -> Result<Kept, Problem> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let writing = tokio::task::spawn_blocking(move || write(&blobs, receiver, wanted));
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else {
            return Err(Problem::new(Kind::Invalid, "The upload ended early.", "Send it again."));
        };
        // The writer has failed: it says why.
        if sender.send(chunk).await.is_err() {
            break;
        }
    }
    drop(sender);
    writing.await.map_err(|e| Problem::internal(&e))?.map_err(|e| match e {
        KeepError::Digest { found, size } => {
            let detail = format!("These {size} bytes have the digest sha256:{found}.");
            Problem::new(Kind::Invalid, detail, "Was the file changed meanwhile? Send it again.").at("key")
        }
        other => Problem::internal(&other),
    })
}

/// Why a file was not kept.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("the bytes are not those of the digest")]
    Digest { found: Digest, size: u64 },
    #[error("cannot keep an artifact")]
    Blob(#[from] BlobError),
    #[error("cannot write an artifact")]
    Write(#[from] std::io::Error),
}

fn write(blobs: &Blobs, mut chunks: mpsc::Receiver<Bytes>, wanted: Digest) -> Result<Kept, KeepError> {
    let mut blob = blobs.writer()?;
    let mut size = 0_u64;
    while let Some(chunk) = chunks.blocking_recv() {
        blob.write_all(&chunk)?;
        size = size.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
    }
    let found = blob.digest();
    if found != wanted {
        return Err(KeepError::Digest { found, size });
    }
    let (digest, size) = blob.finish()?;
    Ok(Kept { digest, size })
}
