//! What a story is given: a network, a folder, guests, and a voice. One file a story uses nothing else of the runner.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use cairn_lab::{Guest, Net, Site, SiteConfig, Tpm, TpmCa, Workspace};

use crate::built;
use crate::report::{self, Mark};

/// The stage for one story.
#[derive(Debug)]
pub(crate) struct Story {
    name: &'static str,
    net: Net,
    folder: PathBuf,
    lab: Workspace,
    since: Instant,
    marks: Mutex<Vec<Mark>>,
}

impl Story {
    /// Sets the stage: a network and the empty folder `folder`, below the lab's.
    pub(crate) fn new(name: &'static str, lab: &Workspace, folder: &str) -> Result<Self> {
        let folder = lab.fresh_folder(folder)?;
        let net = Net::create(name)?;
        Ok(Self { name, net, folder, lab: lab.clone(), since: Instant::now(), marks: Mutex::default() })
    }

    /// The story's own network.
    pub(crate) fn net(&self) -> &Net {
        &self.net
    }

    /// The story's own folder; kept below `.lab/failed` when it fails.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A machine of this story, with a folder of its own. Nothing is on yet.
    pub(crate) fn guest(&self, name: &str) -> Guest {
        Guest::new(name, &self.folder.join(name))
    }

    /// The manufacturer whose TPMs the site trusts.
    pub(crate) fn tpm_ca(&self) -> Result<TpmCa> {
        self.ca("known")
    }

    /// A manufacturer that nobody has heard of.
    pub(crate) fn unknown_tpm_ca(&self) -> Result<TpmCa> {
        self.ca("unknown")
    }

    /// A new TPM of the trusted manufacturer for the guest of this name.
    pub(crate) fn tpm(&self, guest: &str) -> Result<Tpm> {
        Ok(Tpm::certified(&self.folder.join(guest).join("tpm"), &self.tpm_ca()?)?)
    }

    /// What a provisioner on this network needs: `cairn` from the environment, the trusted TPM maker's root and issuer.
    pub(crate) fn site_config(&self) -> Result<SiteConfig> {
        let ca = self.tpm_ca()?;
        Ok(SiteConfig::new(&built::cairn()?, &[ca.root_pem(), ca.issuer_pem()]))
    }

    /// A provisioner that runs, with its data in `site` of the story's folder. It ends when dropped.
    pub(crate) fn site(&self, config: SiteConfig) -> Result<Site<'_>> {
        Ok(Site::start(&self.net, config, &self.folder.join("site"))?)
    }

    /// Notes that a stage is over, and says so.
    pub(crate) fn mark(&self, stage: impl Into<String>) {
        let mark = Mark { stage: stage.into(), at: self.since.elapsed().as_secs_f64() };
        report::say(&format!("{:<28} {:7.1}s  {}", self.name, mark.at, mark.stage));
        self.book().push(mark);
    }

    /// What was marked so far.
    pub(crate) fn marks(&self) -> Vec<Mark> {
        self.book().clone()
    }

    fn book(&self) -> MutexGuard<'_, Vec<Mark>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ca(&self, name: &str) -> Result<TpmCa> {
        let cache = self.lab.folder("cache/tpm-ca")?;
        TpmCa::open(&cache, name).with_context(|| format!("TPM CA {name}"))
    }
}
