//! `bench api`: how fast the API is with a large fleet behind it, all in one run, each figure beside its target.
//!
//! A target that is missed is a failure. The server and this client share the machine, as they would not in life.

mod figure;
mod fleet;
mod floor;
mod lists;
mod memory;
mod random;
mod relabel;
mod reports;
mod watchers;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use cairn_postgres::Postgres;
use serde::Serialize;

use crate::http::Dialer;
use crate::site::{Database, Site};
use figure::{Figure, Target};
use reports::Agents;
use watchers::Watchers;

/// How much is loaded and asked.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Scale {
    hosts: usize,
    sites: usize,
    requests: usize,
    watchers: usize,
    /// Hosts that report at once.
    agents: usize,
    /// For so long.
    seconds: u64,
}

impl Scale {
    /// What the targets are about.
    pub(crate) const FULL: Self =
        Self { hosts: 10_000, sites: 1_000, requests: 1_000, watchers: 1_000, agents: 1_000, seconds: 10 };
    /// A look, with the same targets.
    pub(crate) const QUICK: Self =
        Self { hosts: 2_000, sites: 200, requests: 200, watchers: 200, agents: 500, seconds: 3 };
}

/// All that was measured.
#[derive(Debug, Serialize)]
struct Results {
    scale: Scale,
    /// On SQLite.
    figures: Vec<Figure>,
    /// The same on PostgreSQL, for information.
    postgres: Vec<Figure>,
}

/// Measures; true when no target is missed. `json` gets all figures.
pub(crate) fn run(cairn: &Path, scale: Scale, json: Option<&Path>) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    eprintln!("{} hosts in {} sites, on SQLite", scale.hosts, scale.sites);
    let mut site = Site::start(cairn, &Database::Sqlite)?;
    let figures = runtime.block_on(on_sqlite(&mut site, &scale))?;
    drop(site);
    eprintln!("the same on PostgreSQL, for information");
    let server = Postgres::start().context("no PostgreSQL")?;
    let url = runtime.block_on(server.database())?;
    let site = Site::start(cairn, &Database::Postgres(url))?;
    let postgres = runtime.block_on(on_postgres(&site, &scale))?;
    drop(site);
    let missed = figures.iter().filter(|figure| figure.met == Some(false)).count();
    eprintln!("{missed} targets missed");
    let results = Results { scale, figures, postgres };
    if let Some(path) = json {
        let text = serde_json::to_string_pretty(&results)?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(missed == 0)
}

/// Everything. The server is started anew after loading: hosts are made to run behind its back.
async fn on_sqlite(site: &mut Site, scale: &Scale) -> Result<Vec<Figure>> {
    let dialer = Dialer::new(site.address(), &site.ca(), site.tokens())?;
    let mut figures = told(vec![load(&dialer, scale).await?]);
    site.stop();
    let hosts = reports::enrol(site).await?;
    site.serve()?;
    figures.extend(told(lists::measure(&dialer, scale).await?));
    figures.extend(told(relabel::measure(&dialer, scale).await?));
    let mut watchers = Watchers::connect(&dialer, scale).await?;
    figures.extend(told(watchers.measure(&dialer, scale).await?));
    let agents = Agents::connect(site, &hosts, scale).await?;
    figures.extend(told(memory::measure(site.pid()?)?));
    // What a thousand consoles would see of each report is not what is asked here.
    drop(watchers);
    figures.extend(told(agents.measure(scale).await?));
    Ok(figures)
}

async fn on_postgres(site: &Site, scale: &Scale) -> Result<Vec<Figure>> {
    let dialer = Dialer::new(site.address(), &site.ca(), site.tokens())?;
    let mut figures = vec![load(&dialer, scale).await?];
    figures.extend(lists::measure(&dialer, scale).await?);
    figures.extend(relabel::measure(&dialer, scale).await?);
    let mut watchers = Watchers::connect(&dialer, scale).await?;
    figures.extend(watchers.measure(&dialer, scale).await?);
    Ok(told(figures.into_iter().map(untargeted).collect()))
}

async fn load(dialer: &Dialer, scale: &Scale) -> Result<Figure> {
    let since = Instant::now();
    fleet::load(dialer, scale).await.context("cannot load the fleet")?;
    Ok(Figure::new("fleet loaded through the API", since.elapsed().as_secs_f64(), "s", Target::None))
}

/// Shows figures as they come.
fn told(figures: Vec<Figure>) -> Vec<Figure> {
    figures.iter().for_each(|figure| eprintln!("{}", figure.line()));
    figures
}

/// A figure that is for information only.
fn untargeted(figure: Figure) -> Figure {
    Figure { target: None, met: None, ..figure }
}
