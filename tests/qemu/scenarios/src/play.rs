//! The product in a story: a provisioner with its bundles, hosts, and what can be asked of them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use cairn_lab::{Disk, Guest, NetBoot, Running, Site, Stage};
use serde_json::Value;

use crate::built;
use crate::story::Story;

const POLL: Duration = Duration::from_millis(300);
/// Room for two small roots, the ESP and data.
pub(crate) const DISK: u64 = 2 << 30;

/// A host's name and status, as stories ask for them.
fn in_short(host: &Value) -> Value {
    let mut short = host["status"].clone();
    short["name"] = host["metadata"]["name"].clone();
    short["state"] = host["status"]["phase"].clone();
    short["ek"] = host["status"]["tpm"]["ek"].clone();
    short
}

/// A provisioner that serves the lab's network.
#[derive(Debug)]
pub(crate) struct Play<'s> {
    pub(crate) story: &'s Story,
    pub(crate) site: Site<'s>,
}

/// One line of a host's timeline.
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct Line {
    pub(crate) code: String,
    pub(crate) text: String,
    pub(crate) level: String,
}

impl<'s> Play<'s> {
    /// A site that gives the tiny image to all hosts.
    pub(crate) fn open(story: &'s Story) -> Result<Self> {
        Self::with(story, &["installer-lab", "os-tiny"])
    }

    /// A site with these bundles.
    pub(crate) fn with(story: &'s Story, bundles: &[&str]) -> Result<Self> {
        let play = Self::bare(story, "")?;
        built::add_bundles(&play.site, bundles)?;
        story.mark("provisioner serves installer and image");
        Ok(play)
    }

    /// A site without bundles; `more` is appended to its configuration.
    pub(crate) fn bare(story: &'s Story, more: &str) -> Result<Self> {
        let mut config = story.site_config()?;
        config.init.extend(["--default-image".into(), "tiny".into()]);
        let mut site = story.site(config)?;
        if !more.is_empty() {
            let path = site.folder().join("cairn.toml");
            let text = std::fs::read_to_string(&path)? + more;
            std::fs::write(&path, text)?;
            site.restart()?;
        }
        Ok(Self { story, site })
    }

    /// Expects the guest of this name by its serial number.
    pub(crate) fn register(&self, name: &str) -> Result<()> {
        self.site.call(&["host", "register", name, "--serial", &format!("SN-{name}")])?;
        Ok(())
    }

    /// A UEFI machine with a TPM of the trusted maker and an empty disk.
    pub(crate) fn guest(&self, name: &str) -> Result<Guest> {
        let disk = Disk::create(&self.story.folder().join(format!("{name}.raw")), DISK)?;
        Ok(self.story.guest(name).netboot(NetBoot::Http).tpm(self.story.tpm(name)?).disk(disk))
    }

    /// What the API says of a host: its name, and its status with `state` for the phase and `ek` for that of its TPM.
    pub(crate) fn host(&self, name: &str) -> Result<Value> {
        Ok(in_short(&self.site.json(&["host", "show", name])?))
    }

    /// All hosts.
    pub(crate) fn hosts(&self) -> Result<Vec<Value>> {
        let list = self.site.json(&["host", "ls"])?;
        let items = list.get("items").unwrap_or(&list);
        let items = items.as_array().context("host ls gives no list")?;
        Ok(items.iter().map(in_short).collect())
    }

    /// Its state's word.
    pub(crate) fn state(&self, name: &str) -> Result<String> {
        let host = self.host(name)?;
        Ok(host["state"].as_str().context("a host without a state")?.to_owned())
    }

    /// Its timeline.
    pub(crate) fn timeline(&self, name: &str) -> Result<Vec<Line>> {
        let list = self.site.json(&["host", "timeline", name])?;
        let items = list.get("items").unwrap_or(&list).clone();
        serde_json::from_value(items).context("a timeline that is not understood")
    }

    /// Waits until a host is in one of these states (separated by `|`); fails at once when it ends in another final one.
    pub(crate) fn wait_state(
        &self,
        name: &str,
        states: &str,
        stage: Stage,
        guest: &Running,
    ) -> Result<String> {
        let wanted: Vec<&str> = states.split('|').collect();
        self.wait(stage, guest, name, || {
            let now = self.state(name)?;
            if wanted.contains(&now.as_str()) {
                self.story.mark(format!("{name} is {now}"));
                return Ok(Some(now));
            }
            ensure!(!matches!(now.as_str(), "failed" | "quarantined"), "{name} is {now}, not {states}");
            Ok(None)
        })
    }

    /// Waits for a line of a host's timeline with this code and text.
    pub(crate) fn wait_note(
        &self,
        name: &str,
        (code, text): (&str, &str),
        stage: Stage,
        guest: &Running,
    ) -> Result<Line> {
        self.wait(stage, guest, name, || {
            let found = self.timeline(name)?.into_iter().find(|l| l.code == code && l.text.contains(text));
            if let Some(line) = &found {
                self.story.mark(format!("{code}: {}", line.text.chars().take(100).collect::<String>()));
            }
            Ok(found)
        })
    }

    /// Asks until there is an answer; on failure says what host and guest said last.
    pub(crate) fn wait<T>(
        &self,
        stage: Stage,
        guest: &Running,
        name: &str,
        mut ask: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let end = Instant::now() + stage.deadline();
        loop {
            let failure = match ask() {
                Ok(Some(found)) => return Ok(found),
                Ok(None) if Instant::now() < end => {
                    std::thread::sleep(POLL);
                    continue;
                }
                Ok(None) => anyhow::anyhow!("{}: not within {:?}", stage.name, stage.deadline()),
                Err(error) => error,
            };
            bail!("{failure:#}\n{}", self.last_words(name, guest));
        }
    }

    fn last_words(&self, name: &str, guest: &Running) -> String {
        let mut text = format!("state: {:?}\n", self.state(name));
        for line in self.timeline(name).unwrap_or_default().iter().rev().take(15).rev() {
            text += &format!("  [{}] {}: {}\n", line.level, line.code, line.text);
        }
        for line in guest.serial().tail(25) {
            text += &format!("  | {line:?}\n");
        }
        text
    }
}
