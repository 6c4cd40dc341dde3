//! `cairn get -w`: a list, and then each change of it, without a gap: the watch begins at the list's version and, when the
//! connection breaks, goes on at the last version that was seen.

use std::time::Duration;

use cairn_domain::model::{Kind, Level};
use serde_json::{Value, json};

use super::get::Spanning;
use crate::{
    CallError, Context, Output, Problem,
    client::Event,
    context::Session,
    exit::Failure,
    listing::{self, Query},
    show::{
        columns::{self, Cell, Column, Extent},
        table::{self, Stream},
    },
    target::{Target, text, with_query},
};

/// Between two tries to open a stream that broke.
pub(crate) const AGAIN: Duration = Duration::from_secs(2);

/// Lists of kinds.
pub(crate) async fn lists(
    cx: &mut Context,
    session: &Session,
    (kinds, spanning): (&[Kind], Spanning),
    query: &Query,
) -> Result<(), Failure> {
    let watch = Watch { kinds: kinds.to_vec(), query: query.clone(), uids: Vec::new(), spanning };
    until_interrupted(watch.run(cx, session)).await
}

/// Single resources.
pub(crate) async fn named(cx: &mut Context, session: &Session, targets: &[Target]) -> Result<(), Failure> {
    let (mut kinds, mut uids) = (Vec::new(), Vec::new());
    for target in targets {
        let object = target.get(&session.client, session.namespace()).await?;
        kinds.push(target.kind);
        uids.push(text(&object, "/metadata/uid").to_owned());
    }
    kinds.sort();
    kinds.dedup();
    let query = match uids.as_slice() {
        [one] => Query { fields: Some(format!("metadata.uid={one}")), ..Query::default() },
        _ => Query::default(),
    };
    until_interrupted(Watch { kinds, query, uids, spanning: Spanning::AsNeeded }.run(cx, session)).await
}

/// Ends well with Ctrl-C.
pub(crate) async fn until_interrupted(
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Ok(()),
        ended = work => ended,
    }
}

struct Watch {
    kinds: Vec<Kind>,
    query: Query,
    /// Only these, when there are any.
    uids: Vec<String>,
    spanning: Spanning,
}

/// How the lines of one kind look.
struct Shape {
    kind: Kind,
    columns: Vec<Column>,
    stream: Stream,
}

impl Watch {
    async fn run(&self, cx: &mut Context, session: &Session) -> Result<(), Failure> {
        loop {
            let (shapes, version) = self.list(cx, session).await?;
            match self.follow(cx, session, &shapes, version).await? {
                Ended::TooOld => cx.say("The server keeps no changes that old; this is the list anew:"),
            }
        }
    }

    /// Prints the list; gives the shapes of later lines and where the watch begins.
    async fn list(&self, cx: &mut Context, session: &Session) -> Result<(Vec<Shape>, String), Failure> {
        let (mut shapes, mut version) = (Vec::new(), String::new());
        for kind in &self.kinds {
            let mut list = listing::list(&session.client, *kind, &self.query).await?;
            list.items.retain(|i| self.wants(i));
            // The oldest of several: changes between two lists are shown again, not missed.
            if version.is_empty() {
                version = list.resource_version;
            }
            shapes.push(begin(cx, *kind, &list.items, self)?);
        }
        Ok((shapes, version))
    }

    /// Whether what comes may lie elsewhere than what was listed.
    fn spans(&self) -> bool {
        self.uids.is_empty() && self.query.namespace.as_deref().is_none_or(|n| !n.contains('.'))
    }

    fn wants(&self, object: &Value) -> bool {
        self.uids.is_empty() || self.uids.iter().any(|uid| uid == text(object, "/metadata/uid"))
    }

    async fn follow(
        &self,
        cx: &mut Context,
        session: &Session,
        shapes: &[Shape],
        mut version: String,
    ) -> Result<Ended, Failure> {
        let mut broken = false;
        let kinds = self.kinds.iter().map(|k| k.plural()).collect::<Vec<_>>().join(",");
        let lives =
            self.kinds.iter().copied().find(|k| k.level() != Level::Appliance).unwrap_or(self.kinds[0]);
        let base = with_query("/api/v1/watch", &[("kinds", Some(kinds.as_str()))]);
        let base = with_query(&base, &self.query.parameters(lives));
        loop {
            let path = with_query(&base, &[("resourceVersion", Some(version.as_str()))]);
            match session.client.events(&path).await {
                Ok(mut events) => {
                    if std::mem::take(&mut broken) {
                        cx.say("The server is back.");
                    }
                    while let Some(event) = events.next().await? {
                        if !event.id.is_empty() {
                            version.clone_from(&event.id);
                        }
                        if event.name == "ERROR" {
                            return ended(&event);
                        }
                        self.print(cx, shapes, &event)?;
                    }
                }
                Err(CallError::Refused(problem)) if problem.status == 410 => return Ok(Ended::TooOld),
                Err(CallError::Unreachable { .. } | CallError::Broken(_)) => {
                    if !std::mem::replace(&mut broken, true) {
                        cx.say("The server does not answer; waiting for it.");
                    }
                    tokio::time::sleep(AGAIN).await;
                }
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn print(&self, cx: &mut Context, shapes: &[Shape], event: &Event) -> Result<(), Failure> {
        if !matches!(event.name.as_str(), "ADDED" | "MODIFIED" | "DELETED") {
            return Ok(());
        }
        let object: Value = serde_json::from_str(&event.data).map_err(CallError::Content)?;
        if !self.wants(&object) {
            return Ok(());
        }
        if cx.output == Output::Json && cx.streamed(&json!({ "type": event.name, "object": object }))?
            || cx.output != Output::Json && cx.streamed(&object)?
        {
            return Ok(());
        }
        let same = |s: &&Shape| text(&object, "/kind") == s.kind.name();
        let Some(shape) = shapes.iter().find(same).or(shapes.first()) else { return Ok(()) };
        let words = cx.words();
        let row = cells(&shape.columns, &object, &event.name, &words);
        cx.line(&shape.stream.line(&row, &words))
    }
}

enum Ended {
    TooOld,
}

/// What the server said before it closed the stream.
fn ended(event: &Event) -> Result<Ended, Failure> {
    match Problem::read(event.data.as_bytes()) {
        Some(problem) if problem.status == 410 => Ok(Ended::TooOld),
        problem => Err(Failure::refused(problem.unwrap_or_default())),
    }
}

fn cells(columns: &[Column], object: &Value, event: &str, words: &crate::show::words::Words) -> Vec<Cell> {
    let first = table::cell(event.to_ascii_lowercase());
    std::iter::once(first).chain(columns.iter().map(|c| c.cell(object, words))).collect()
}

/// Prints what is there now.
fn begin(cx: &mut Context, kind: Kind, items: &[Value], watch: &Watch) -> Result<Shape, Failure> {
    let all: Vec<&Value> = items.iter().collect();
    let lives = kind.level() != Level::Appliance;
    let extent = Extent {
        wide: cx.output == Output::Wide,
        // Later ones may lie elsewhere.
        spanning: lives && (watch.spans() || watch.spanning.of(&all)),
    };
    let columns = columns::of(kind, extent);
    let mut stream = Stream::default();
    let words = cx.words();
    if cx.output.is_text() {
        let mut heads = vec!["EVENT"];
        heads.extend(columns.iter().map(|c| c.head));
        let rows: Vec<Vec<Cell>> = items.iter().map(|i| cells(&columns, i, "present", &words)).collect();
        let mut widest = rows.clone();
        widest.push(vec![table::cell("modified")]);
        stream.begin(&heads, &widest);
        let heads: Vec<Cell> = heads.iter().map(|h| table::cell(*h)).collect();
        cx.line(&stream.line(&heads, &words))?;
        for row in &rows {
            cx.line(&stream.line(row, &words))?;
        }
    } else {
        for item in items {
            if cx.output == Output::Json {
                cx.streamed(&json!({ "type": "ADDED", "object": item }))?;
            } else {
                cx.streamed(item)?;
            }
        }
    }
    Ok(Shape { kind, columns, stream })
}
