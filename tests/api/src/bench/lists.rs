//! How soon lists come: pages of 100 at random places, and by selectors; beside them a server that does nothing, as the
//! floor of client, TLS and HTTP.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::figure::{Figure, Target, Times};
use super::fleet::PROJECT;
use super::random::Random;
use super::{Scale, floor};
use crate::http::{Dialer, Http1, escape};

const PAGE: usize = 100;
/// Requests of one connection, and so of one token: the server limits how much each may ask.
const OF_ONE: usize = 200;
/// By labels of their own, by inherited ones, and by both; that find few hosts, and many.
const SELECTORS: [(&str, &str); 8] = [
    ("few, own", "shelf=7"),
    ("many, own", "role=till"),
    ("few, inherited", "zone=z03,size=small"),
    ("many, inherited", "tier in (gold, silver)"),
    ("few, own and inherited", "shelf in (1, 2, 3),tier=gold"),
    ("many, own and inherited", "role=till,size!=small"),
    ("absent key", "!shelf"),
    ("set-based", "role notin (server),zone,tier notin (bronze)"),
];

/// Measures pages, selectors and the floor.
pub(crate) async fn measure(dialer: &Dialer, scale: &Scale) -> Result<Vec<Figure>> {
    let mut client = dialer.http1(Ipv4Addr::LOCALHOST).await?;
    let (pages, page) = places(&mut client, scale).await?;
    let mut random = Random::seeded(1);
    let picked = (0..scale.requests).filter_map(|_| pages.get(random.below(pages.len()))).cloned().collect();
    let times = Times::new(each(dialer, picked).await?);
    let mut figures = times.figures("list page of 100", Target::Below(10.0)).to_vec();
    figures.extend(selectors(dialer, scale).await?);
    let times = floor::measure(page, scale.requests).await?;
    figures.extend(times.figures("floor: a bare hyper over the same TLS, same bytes", Target::None));
    Ok(figures)
}

/// Paths of all pages of the list, and one page as it came.
async fn places(client: &mut Http1, scale: &Scale) -> Result<(Vec<String>, bytes::Bytes)> {
    let base = format!("/api/v1/hosts?namespace={PROJECT}&limit={PAGE}");
    let (mut paths, mut found) = (vec![base.clone()], 0);
    let mut body = client.get(&base).await?;
    let first = body.clone();
    loop {
        let page: Value = serde_json::from_slice(&body)?;
        found += page.get("items").and_then(Value::as_array).context("a page without items")?.len();
        let next = page.pointer("/metadata/continue").and_then(Value::as_str).unwrap_or_default();
        if next.is_empty() {
            break;
        }
        let path = format!("{base}&continue={}", escape(next));
        body = client.get(&path).await?;
        paths.push(path);
    }
    ensure!(found == scale.hosts, "the pages hold {found} hosts of {}", scale.hosts);
    Ok((paths, first))
}

async fn selectors(dialer: &Dialer, scale: &Scale) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut all = Vec::new();
    for (name, selector) in SELECTORS {
        let path =
            format!("/api/v1/hosts?namespace={PROJECT}&limit={PAGE}&labelSelector={}", escape(selector));
        let times = each(dialer, vec![path; scale.requests.div_ceil(SELECTORS.len())]).await?;
        let p99 = Times::new(times.clone()).percentile(99);
        figures.push(Figure::new(format!("  selector, {name}: {selector}, p99"), p99, "ms", Target::None));
        all.extend(times);
    }
    let together = Times::new(all).figures("list by label selector", Target::Below(30.0));
    Ok(together.into_iter().chain(figures).collect())
}

/// From the request to the last byte of the answer, one after the other. What opens a connection is not counted.
async fn each(dialer: &Dialer, paths: Vec<String>) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(paths.len());
    for some in paths.chunks(OF_ONE) {
        let mut client = dialer.http1(Ipv4Addr::LOCALHOST).await?;
        client.get("/api/v1/status").await?;
        for path in some {
            let since = Instant::now();
            client.get(path).await?;
            times.push(since.elapsed());
        }
    }
    Ok(times)
}
