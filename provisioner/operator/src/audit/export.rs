//! `GET /audit/export`: the log as a stream of lines. Reading it is itself an entry, once.

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use cairn_domain::{
    audit::{AuditEntry, Deed, Outcome},
    model::Namespace,
};
use cairn_store::{AuditFilter, ReadError};
use futures_util::stream;
use http::header;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{page, syslog, visible};
use crate::{app::App, auth::Caller, json::Params, problem::Problem};

const READ_AT_ONCE: u32 = 500;

/// In which form, and of what.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportQuery {
    #[serde(default)]
    format: Format,
    /// Only entries after this number.
    after: Option<i64>,
    /// Only what was done in this organisation or project and below; absent: all that the caller may see.
    namespace: Option<String>,
}

/// One line of the export.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// JSON, as `GET /audit` gives it.
    #[default]
    Jsonl,
    /// RFC 5424.
    Syslog,
}

impl Format {
    fn line(self, entry: &AuditEntry) -> Vec<u8> {
        let mut line = match self {
            // An entry of ours always has a JSON form.
            Self::Jsonl => serde_json::to_vec(entry).unwrap_or_default(),
            Self::Syslog => syslog::line(entry).into_bytes(),
        };
        line.push(b'\n');
        line
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/jsonl",
            Self::Syslog => "text/plain; charset=utf-8",
        }
    }
}

/// `GET /audit/export`
pub(crate) async fn export(
    State(app): State<App>,
    caller: Caller,
    Params(query): Params<ExportQuery>,
) -> Result<Response, Problem> {
    let within = page::namespace(query.namespace.as_deref())?;
    visible::allowed(&app, &caller, within.as_ref()).await?;
    let noted = app.store.audit(app.auth.now(), &[deed(&caller, within.as_ref())]).await;
    noted.map_err(|e| Problem::internal(&e))?;
    let reader = Reader {
        app,
        caller,
        filter: AuditFilter { within, ..AuditFilter::default() },
        after: query.after.unwrap_or_default().max(0),
        format: query.format,
    };
    let pages = stream::unfold(Some(reader), |reader| async move {
        let reader = reader?;
        match reader.next().await {
            Ok(None) => None,
            Ok(Some((bytes, reader))) => Some((Ok(bytes), Some(reader))),
            // The connection breaks off, so that nobody takes a part for the whole.
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(([(header::CONTENT_TYPE, query.format.content_type())], Body::from_stream(pages)).into_response())
}

struct Reader {
    app: App,
    caller: Caller,
    filter: AuditFilter,
    after: i64,
    format: Format,
}

impl Reader {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, ReadError> {
        let found = self.app.store.audit_after(self.after, &self.filter, READ_AT_ONCE).await?;
        let Some(last) = found.last() else { return Ok(None) };
        self.after = last.seq;
        let seen = visible::filter(&self.app, &self.caller.principal, found);
        let bytes: Vec<u8> = seen.iter().flat_map(|entry| self.format.line(entry)).collect();
        Ok(Some((bytes.into(), self)))
    }
}

fn deed(caller: &Caller, within: Option<&Namespace>) -> Deed {
    Deed {
        actor: caller.actor.clone(),
        verb: "audit.export".to_owned(),
        kind: None,
        uid: None,
        namespace: within.cloned().unwrap_or_default(),
        name: String::new(),
        outcome: Outcome::Done,
        reason: String::new(),
        before: None,
        after: None,
    }
}
