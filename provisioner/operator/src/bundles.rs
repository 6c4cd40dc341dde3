//! `POST /bundles`: streams a file to [`Uploads`](crate::Uploads), bounded in size, in time between chunks and in number.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use axum::{
    body::{Body, BodyDataStream},
    extract::{Request, State},
};
use bytes::Bytes;
use cairn_domain::model::{Kind as Resource, Verb};
use futures_util::StreamExt as _;
use http::header;
use schemars::SchemaGenerator;

use crate::{
    app::{App, Limits},
    appliance,
    auth::Caller,
    problem::{Kind, Problem},
    route::{Optional, Route},
    uploads::{Added, Chunks, UploadError},
};

/// Why the stream of chunks was cut by this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Cut {
    No = 0,
    TooLarge = 1,
    TooSlow = 2,
}

/// Its routes.
pub(crate) fn routes() -> Vec<Route> {
    let bytes =
        Arc::new(|_: &mut SchemaGenerator| schemars::json_schema!({ "type": "string", "format": "binary" }));
    vec![
        Route::post("/bundles", add)
            .tag("images")
            .summary("Add an OS image or an installer from a bundle")
            .slow()
            .takes_as("application/octet-stream", bytes, Optional::No)
            .gives::<Added>(200, "It is checked and kept"),
    ]
}

/// Takes one bundle; answers when it is checked and kept.
pub(crate) async fn add(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> Result<axum::Json<Added>, Problem> {
    appliance::allow(&app, &caller, Verb::Create, Resource::OsImage).await?;
    let _slot = app.uploads.try_acquire().map_err(|_| {
        Problem::new(Kind::TooMany, "Other uploads are under way.", "Try again in a minute.").after(60)
    })?;
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    if announced.is_some_and(|n: u64| n > app.limits.upload_bytes) {
        return Err(cut_problem(Cut::TooLarge, app.limits));
    }
    let cut = Arc::new(AtomicU8::new(Cut::No as u8));
    let chunks = bounded(request.into_body(), app.limits, Arc::clone(&cut));
    let result = app.bundles.add(chunks).await;
    let cut = match cut.load(Ordering::Relaxed) {
        1 => Cut::TooLarge,
        2 => Cut::TooSlow,
        _ => Cut::No,
    };
    match result {
        Ok(added) => Ok(axum::Json(added)),
        Err(_) if cut != Cut::No => Err(cut_problem(cut, app.limits)),
        Err(e) => Err(problem(&e)),
    }
}

struct Bounded {
    chunks: BodyDataStream,
    left: u64,
    limits: Limits,
    cut: Arc<AtomicU8>,
}

fn bounded(body: Body, limits: Limits, cut: Arc<AtomicU8>) -> Chunks {
    let from = Bounded { chunks: body.into_data_stream(), left: limits.upload_bytes, limits, cut };
    // After an error there is no more: `None` as the next state ends the stream.
    Box::pin(futures_util::stream::unfold(Some(from), |from| async move {
        let mut from = from?;
        let item = from.next().await?;
        let rest = item.is_ok().then_some(from);
        Some((item, rest))
    }))
}

impl Bounded {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let Ok(chunk) = tokio::time::timeout(self.limits.upload_idle, self.chunks.next()).await else {
            return Some(Err(self.end(Cut::TooSlow, io::ErrorKind::TimedOut)));
        };
        match chunk? {
            Ok(bytes) => match self.left.checked_sub(bytes.len() as u64) {
                Some(left) => {
                    self.left = left;
                    Some(Ok(bytes))
                }
                None => Some(Err(self.end(Cut::TooLarge, io::ErrorKind::FileTooLarge))),
            },
            Err(e) => Some(Err(io::Error::other(e))),
        }
    }

    fn end(&self, cut: Cut, kind: io::ErrorKind) -> io::Error {
        self.cut.store(cut as u8, Ordering::Relaxed);
        kind.into()
    }
}

fn cut_problem(cut: Cut, limits: Limits) -> Problem {
    if cut == Cut::TooSlow {
        return Problem::new(
            Kind::TooSlow,
            "The upload stood still.",
            "Check the network, then send it again.",
        );
    }
    let detail = format!("A bundle may have {} bytes.", limits.upload_bytes);
    Problem::new(Kind::TooLarge, detail, "Make a smaller image.")
}

fn problem(error: &UploadError) -> Problem {
    let detail = format!("{error}.");
    match error {
        UploadError::Malformed(_) => {
            Problem::new(Kind::Invalid, detail, "Bundles end in .cairn and are made by: cargo xtask image")
        }
        UploadError::Conflict(_) => Problem::new(Kind::Conflict, detail, "See what is there: cairn image ls"),
        UploadError::Broken(_) => Problem::new(Kind::Invalid, detail, "Send it again."),
        UploadError::NoSpace => {
            Problem::new(Kind::NoSpace, detail, "Make room in the data folder, then send it again.")
        }
        UploadError::Failed(_) => Problem::internal(error),
    }
}
