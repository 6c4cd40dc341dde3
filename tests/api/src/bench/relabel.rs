//! A label of the region over all hosts changes: how long until a list by that label holds all of them.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::Scale;
use super::figure::{Figure, Target, Times};
use super::fleet::{self, PROJECT, TOP};
use crate::http::{Dialer, escape};

const ROUNDS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(30);

/// The worst of some rounds, from sending the change to the last byte of a list that holds all hosts.
pub(crate) async fn measure(dialer: &Dialer, scale: &Scale) -> Result<Vec<Figure>> {
    let mut client = dialer.http1(Ipv4Addr::LOCALHOST).await?;
    let (mut whole, mut accepted) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let value = format!("w{round}");
        let since = Instant::now();
        fleet::apply(&mut client, &[fleet::region(TOP, json!({ "wave": value }))]).await?;
        accepted.push(since.elapsed());
        while count(&mut client, &format!("wave={value}")).await? < scale.hosts {
            ensure!(since.elapsed() < PATIENCE, "hosts below a region do not get its label");
        }
        whole.push(since.elapsed());
    }
    let (whole, accepted) = (Times::new(whole), Times::new(accepted));
    let name = format!("region's label reaches {} hosts, worst of {ROUNDS}", scale.hosts);
    Ok(vec![
        Figure::new(name, whole.percentile(100), "ms", Target::Below(2000.0)),
        Figure::new("  of which: the change is accepted", accepted.percentile(100), "ms", Target::None),
    ])
}

/// How many hosts a selector finds, by all pages.
async fn count(client: &mut crate::http::Http1, selector: &str) -> Result<usize> {
    let base = format!("/api/v1/hosts?namespace={PROJECT}&limit=500&labelSelector={}", escape(selector));
    let (mut path, mut found) = (base.clone(), 0);
    loop {
        let page = client.json(&path).await?;
        found += page.get("items").and_then(Value::as_array).context("a page without items")?.len();
        match page.pointer("/metadata/continue").and_then(Value::as_str) {
            Some(next) if !next.is_empty() => path = format!("{base}&continue={}", escape(next)),
            _ => return Ok(found),
        }
    }
}
