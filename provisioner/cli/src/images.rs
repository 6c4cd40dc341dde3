//! `cairn image ...`, `cairn installer ...`.

use std::{io, path::Path};

use cairn_operator::{
    Added, BundleKind,
    view::{ImageRow, InstallerRow, Page, Status},
};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::{fs::File, io::AsyncReadExt as _};

use crate::{Context, client::Body, context::Format, exit::Failure, host::escape, show::table};

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
    let _: Status = client.get("/api/v1/status").await?;
    let bar = progress(size, cx.format);
    let sent = client.upload::<Added>("/api/v1/bundles", size, stream(file, bar.clone())).await;
    bar.finish_and_clear();
    let added = sent?;
    if cx.format == Format::Json {
        return cx.json(&added);
    }
    let size = cx.words().bytes(added.size);
    match added.kind {
        BundleKind::Image => {
            cx.line(&format!("Added image {} version {} ({size}).", added.name, added.version))?;
            cx.line(&format!("Use it: cairn host register NAME --serial SERIAL --image {}", added.name))
        }
        BundleKind::Installer => {
            cx.line(&format!("Added installer {} version {} ({size}).", added.name, added.version))?;
            cx.line("Machines that boot from the network get it from now on.")
        }
    }
}

/// `cairn image ls`
pub(crate) async fn list(cx: &mut Context) -> Result<(), Failure> {
    let page: Page<ImageRow> = cx.client()?.get("/api/v1/images?limit=500").await?;
    if cx.format == Format::Json {
        return cx.json(&page);
    }
    if page.items.is_empty() {
        return cx.line("No images yet. Add one: cairn image add FILE.cairn");
    }
    let words = cx.words();
    cx.line(&table::images(&page.items, &words))
}

/// `cairn installer ls`
pub(crate) async fn installers(cx: &mut Context) -> Result<(), Failure> {
    let page: Page<InstallerRow> = cx.client()?.get("/api/v1/installers?limit=500").await?;
    if cx.format == Format::Json {
        return cx.json(&page);
    }
    if page.items.is_empty() {
        return cx.line("No installers yet. Add one: cairn installer add FILE.cairn");
    }
    let words = cx.words();
    cx.line(&table::installers(&page.items, &words))
}

/// `cairn installer retire`
pub(crate) async fn retire(cx: &mut Context, name: &str, version: &str) -> Result<(), Failure> {
    cx.client()?.delete(&format!("/api/v1/installers/{}/{}", escape(name), escape(version))).await?;
    match cx.format {
        Format::Json => cx.json(&serde_json::json!({ "retired": name, "version": version })),
        Format::Text => cx.line(&format!("Retired installer {name} {version}.")),
    }
}

/// On stderr, and only on a terminal.
fn progress(size: u64, format: Format) -> ProgressBar {
    if format == Format::Json {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(size);
    let template = "{bar:30} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn stream(file: File, bar: ProgressBar) -> Body {
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
