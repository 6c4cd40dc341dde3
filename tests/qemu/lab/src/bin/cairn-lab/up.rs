//! `up`, `cut` and `down`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use cairn_lab::{Net, Site, SiteConfig};

use crate::state::{Process, State};

const NET: &str = "cairn-lab";

/// Makes the network; starts a provisioner if given a binary and its configuration.
pub(crate) fn up(folder: &Path, site: Option<(&Path, &Path)>) -> Result<()> {
    if State::load(folder).is_ok() {
        bail!("the lab is up: `cairn-lab down` first");
    }
    let net = Net::make(NET)?;
    let mut state = State { net: NET.into(), site: None, machines: BTreeMap::new() };
    if let Some((program, config)) = site {
        let text = fs::read_to_string(config).with_context(|| format!("cannot read {}", config.display()))?;
        let program =
            fs::canonicalize(program).with_context(|| format!("no program {}", program.display()))?;
        let pid = Site::start_loose(&net, &SiteConfig::new(&program, text), &folder.join("site"))?;
        state.site = Process::of(pid);
        say(&format!("provisioner {pid}, log {}", folder.join("site/serve.log").display()));
    }
    state.save(folder)?;
    net.keep();
    say(&format!("network {NET}, server {}; enter it with `ip netns exec {NET} ...`", Net::SERVER));
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
