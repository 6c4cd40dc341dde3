//! The provisioner alone: how soon it is ready, what it takes when idle; and how large things are.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cairn_lab::Site;
use serde_json::Value;

use super::figure::{Figure, Target, median};
use super::installing::mebibytes;
use crate::built;
use crate::story::Story;

const STARTS: usize = 5;
const IDLE: Duration = Duration::from_secs(10);
/// Decimal, as file sizes are given.
const MB: f64 = 1e6;

/// Everything that needs no guest.
pub(crate) fn measure(story: &Story, tell: &dyn Fn(&str)) -> Result<Vec<Figure>> {
    let mut site = Site::start(story.net(), story.site_config()?, &story.folder().join("idle"))?;
    built::add_bundles(&site, &["installer-metal", "installer-lab", "os-tiny"])?;
    let mut figures = sizes(&site)?;
    let mut ready = Vec::new();
    for _ in 0..STARTS {
        site.kill9();
        let since = Instant::now();
        site.restart()?;
        ready.push(since.elapsed().as_secs_f64() * 1000.0);
    }
    tell(&format!("provisioner ready: {ready:.0?} ms"));
    figures.push(
        Figure::new("cairn serve ready", median(&ready), "ms", Target::Below(1000.0)).with_values(ready),
    );
    std::thread::sleep(IDLE);
    let resident = resident(site.pid())?;
    figures.push(Figure::new("cairn serve idle", mebibytes(resident), "MiB", Target::Below(40.0)));
    site.stop();
    Ok(figures)
}

/// Sizes of what the site composed and of what was built.
fn sizes(site: &Site<'_>) -> Result<Vec<Figure>> {
    let installers = site.json(&["installer", "ls"])?;
    let images = site.json(&["image", "ls"])?;
    let uki = |flavour: &str| -> Result<f64> {
        let digest = named(&installers, flavour)?["sha256"].as_str().context("no digest")?.to_owned();
        let start = digest.get(..2).context("a short digest")?;
        megabytes(&site.folder().join("blobs/sha256").join(start).join(&digest))
    };
    let tiny = named(&images, "tiny")?["size"].as_f64().context("an image without a size")? / MB;
    let installer = megabytes(&built::installer()?)?;
    Ok(vec![
        Figure::new("lab UKI", uki("lab")?, "MB", Target::Below(25.0)),
        Figure::new("metal UKI", uki("metal")?, "MB", Target::Below(80.0)),
        Figure::new("cairn-installer", installer, "MB", Target::Below(5.0)),
        Figure::new("tiny image", tiny, "MB", Target::Below(40.0)),
    ])
}

fn named<'v>(list: &'v Value, name: &str) -> Result<&'v Value> {
    let items = list["items"].as_array().context("no list")?;
    items.iter().find(|item| item["name"] == name).with_context(|| format!("nothing is called {name}"))
}

fn megabytes(path: &Path) -> Result<f64> {
    let length = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    Ok(length as f64 / MB)
}

/// Resident bytes of a process (proc_pid_status(5), `VmRSS`).
fn resident(pid: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the provisioner ended")?;
    rss(&text).context("no VmRSS of the provisioner")
}

fn rss(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_kibibytes() {
        assert_eq!(rss("Name:\tcairn\nVmRSS:\t   21000 kB\n"), Some(21_504_000));
        assert_eq!(rss("Name:\tcairn\n"), None);
    }
}
