//! schemathesis against the OpenAPI document that the server serves, over TLS, as an administrator. Which checks and phases
//! run, and what is left out and why, is in `schemathesis.toml`.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::child::{Process, leashed};
use crate::site::{Database, Site};

/// For the whole run; it takes four minutes.
const PATIENCE: Duration = Duration::from_secs(420);
/// Lines of its report that a failure repeats: the last ones sum it up.
const SHOWN: usize = 400;

/// Runs it with what lies in `folder`, on a site that holds `examples`; true when nothing was found.
pub(crate) fn run(cairn: &Path, python: &Path, (folder, examples): (&Path, &Path)) -> Result<bool> {
    let site = Site::start(cairn, &Database::Sqlite)?;
    // Something to ask about.
    site.cairn(&["apply", "-f", &examples.to_string_lossy()], "").context("the examples are refused")?;
    let since = Instant::now();
    let mut command = leashed(python);
    command
        .args(["-m", "schemathesis.cli", "--no-color", "--config-file"])
        .arg(folder.join("schemathesis.toml"))
        .arg("run");
    command.arg(format!("https://{}/api/v1/openapi.json", site.address()));
    command
        .current_dir(site.folder())
        .env("CAIRN_TOKEN", site.tokens().first().context("no token")?)
        .env("CAIRN_CA", site.ca());
    command.env("CAIRN_HOOKS", folder.join("schemathesis_hooks.py"));
    command.env("PYTHONIOENCODING", "utf-8").env("COLUMNS", "120");
    let mut process = Process::start(command, Stdio::null())?;
    let status = process.finish(PATIENCE);
    let said = process.said();
    let Some(status) = status else { bail!("schemathesis still runs after {PATIENCE:?}:\n{}", last(&said)) };
    if !status.success() {
        eprintln!("{}", last(&said));
        site.log()
            .lines()
            .filter(|line| line.contains("ERROR"))
            .take(20)
            .for_each(|line| eprintln!("{line}"));
        return Ok(false);
    }
    let summary = said.lines().skip_while(|line| !line.contains(" SUMMARY ")).skip(1);
    summary.filter(|line| !line.trim().is_empty()).for_each(|line| eprintln!("{line}"));
    eprintln!("schemathesis found nothing in {:.0} s", since.elapsed().as_secs_f64());
    Ok(true)
}

fn last(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default().join("\n")
}
