//! `up`, `cut` and `down`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use cairn_lab::{Net, Site, SiteConfig, Stage, TpmCa};
use clap::Args;

use crate::state::{Process, State};

const NET: &str = "cairn-lab";

/// A provisioner to start.
#[derive(Debug, Args)]
pub(crate) struct Provisioner {
    /// Its binary; without one there is only the network.
    #[arg(long, env = "CAIRN_BIN")]
    cairn: Option<PathBuf>,
    /// Configuration to use instead of the one that `cairn init` writes.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Folder of bundles (*.cairn) to add.
    #[arg(long, env = "CAIRN_BUNDLES")]
    bundles: Option<PathBuf>,
}

/// Makes the network; starts a provisioner if given one.
pub(crate) fn up(folder: &Path, provisioner: &Provisioner) -> Result<()> {
    if State::load(folder).is_ok() {
        bail!("the lab is up: `cairn-lab down` first");
    }
    let net = Net::make(NET)?;
    let mut state = State { net: NET.into(), site: None, machines: BTreeMap::new() };
    if let Some(program) = &provisioner.cairn {
        let process = serve(&net, folder, (program, provisioner))?;
        state.site = Some(process);
    }
    state.save(folder)?;
    net.keep();
    say(&format!("network {NET}, server {}; enter it with `ip netns exec {NET} ...`", Net::SERVER));
    Ok(())
}

fn serve(net: &Net, folder: &Path, (program, provisioner): (&Path, &Provisioner)) -> Result<Process> {
    let program = fs::canonicalize(program).with_context(|| format!("no program {}", program.display()))?;
    let ca = TpmCa::open(&folder.join("tpm-ca"), "known")?;
    let mut config = SiteConfig::new(&program, &[ca.root_pem(), ca.issuer_pem()]);
    if let Some(path) = &provisioner.config {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        config.config_toml = Some(text);
    }
    let data = folder.join("site");
    let pid = Site::start_loose(net, &config, &data)?;
    let process = Process::of(pid).context("the provisioner ended at once")?;
    let added = await_port(net, process).and_then(|()| add_bundles(net, &program, (&data, provisioner)));
    if let Err(error) = added {
        process.end();
        return Err(error.context(format!("see {}", data.join("serve.log").display())));
    }
    say(&format!("provisioner {pid}, data {}", data.display()));
    say(&format!("try: ip netns exec {NET} {} --data {} host ls", program.display(), data.display()));
    Ok(process)
}

fn await_port(net: &Net, process: Process) -> Result<()> {
    let since = Instant::now();
    while !net.inside(|| TcpStream::connect((Net::SERVER, 443)).is_ok())? {
        ensure!(process.runs(), "the provisioner ended");
        ensure!(since.elapsed() < Stage::LOCAL.deadline(), "the provisioner does not answer on port 443");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn add_bundles(net: &Net, program: &Path, (data, provisioner): (&Path, &Provisioner)) -> Result<()> {
    let Some(folder) = &provisioner.bundles else { return Ok(()) };
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    // The last installer is the one that is served: installer-lab, which is the quickest under emulation.
    paths.sort_by(|a, b| b.cmp(a));
    for bundle in paths.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "cairn")) {
        let added =
            net.command(program).arg("--data").arg(data).args(["image", "add"]).arg(&bundle).status()?;
        ensure!(added.success(), "cannot add {}", bundle.display());
    }
    Ok(())
}

/// Cuts a machine's power.
pub(crate) fn cut(folder: &Path, name: &str) -> Result<()> {
    let mut state = State::load(folder)?;
    let machine = state.machines.remove(name).with_context(|| format!("no machine {name} is on"))?;
    machine.cut();
    state.save(folder)
}

/// Ends everything.
pub(crate) fn down(folder: &Path) -> Result<()> {
    let state = State::load(folder)?;
    state.machines.values().for_each(crate::state::Machine::cut);
    state.site.into_iter().for_each(Process::end);
    Net::attach(&state.net)?.remove();
    State::forget(folder)
}

/// One line to the terminal.
pub(crate) fn say(line: &str) {
    // A closed terminal is no reason to stop.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
