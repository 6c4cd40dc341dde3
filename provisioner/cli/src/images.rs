//! `cairn image ...`, `cairn installer ...`.

use std::{io, path::Path};

use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::{fs::File, io::AsyncReadExt as _};

use crate::{
    Context, Output,
    client::Body,
    exit::Failure,
    show::table,
    target::{escape, text},
};

/// Bytes read from the file at once.
const CHUNK: usize = 256 << 10;

/// `cairn image add FILE`: the server tells by content what it is.
pub(crate) async fn add(cx: &mut Context, path: &Path) -> Result<(), Failure> {
    let unread =
        |e: io::Error| Failure::new(format!("cannot read {}: {e}", path.display()), "Check its name.");
    let file = File::open(path).await.map_err(unread)?;
    let size = file.metadata().await.map_err(unread)?.len();
    let client = cx.client()?;
    // A wrong token or a server that is not there is told before gigabytes travel.
    let _: Value = client.get("/api/v1/status").await?;
    let bar = progress(size, &cx.output);
    let sent = client.upload::<Value>("/api/v1/bundles", size, stream(file, bar.clone())).await;
    bar.finish_and_clear();
    let added = sent?;
    if cx.value(&added)? {
        return Ok(());
    }
    let said = |pointer| cairn_domain::fact::plain(text(&added, pointer), 100);
    let size = cx.words().bytes(added.get("size").and_then(Value::as_u64).unwrap_or(size));
    let (name, version) = (said("/name"), said("/version"));
    if said("/kind") == "installer" {
        cx.line(&format!("Added installer {name} version {version} ({size})."))?;
        cx.line("Machines that boot from the network get it from now on.")
    } else {
        cx.line(&format!("Added image {name} version {version} ({size})."))?;
        cx.line(&format!("Use it: cairn host register NAME --serial SERIAL --image {name}"))
    }
}

/// `cairn image ls`
pub(crate) async fn list(cx: &mut Context) -> Result<(), Failure> {
    let page: Value = cx.client()?.get("/api/v1/images?limit=500").await?;
    if cx.value(&page)? {
        return Ok(());
    }
    let items = page.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        return cx.line("No images yet. Add one: cairn image add FILE.cairn");
    }
    let words = cx.words();
    cx.line(&table::images(items, &words))
}

/// `cairn installer ls`
pub(crate) async fn installers(cx: &mut Context) -> Result<(), Failure> {
    let page: Value = cx.client()?.get("/api/v1/installers?limit=500").await?;
    if cx.value(&page)? {
        return Ok(());
    }
    let items = page.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        return cx.line("No installers yet. Add one: cairn installer add FILE.cairn");
    }
    let words = cx.words();
    cx.line(&table::installers(items, &words))
}

/// `cairn installer retire`
pub(crate) async fn retire(cx: &mut Context, name: &str, version: &str) -> Result<(), Failure> {
    cx.client()?.delete(&format!("/api/v1/installers/{}/{}", escape(name), escape(version))).await?;
    if cx.value(&json!({ "retired": name, "version": version }))? {
        return Ok(());
    }
    cx.line(&format!("Retired installer {name} {version}."))
}

/// On stderr, and only on a terminal.
pub(crate) fn progress(size: u64, output: &Output) -> ProgressBar {
    if !output.is_text() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(size);
    let template = "{bar:30} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

pub(crate) fn stream(file: File, bar: ProgressBar) -> Body {
    let chunks = futures_util::stream::unfold(Some(file), move |file| {
        let bar = bar.clone();
        async move {
            let mut file = file?;
            let mut chunk = bytes::BytesMut::with_capacity(CHUNK);
            match file.read_buf(&mut chunk).await {
                Ok(0) => {
                    bar.set_message("checking");
                    None
                }
                Ok(n) => {
                    bar.inc(n as u64);
                    Some((Ok(Frame::data(chunk.freeze())), Some(file)))
                }
                Err(e) => Some((Err(e), None)),
            }
        }
    });
    StreamBody::new(chunks).boxed_unsync()
}
