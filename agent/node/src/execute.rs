//! Carries out one step on this machine, and remembers it. Each step may be carried out twice.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cairn_contract::workload::{Artifact, Command, NodeDesired, NodeRole, Placement, Probe, Unit};
use cairn_runtime::probe;
use cairn_runtime::units::{Order as UnitOrder, UnitState, Units};
use tokio::time::Instant;

use crate::failure::Failure;
use crate::join;
use crate::order::{File, Once, Order};
use crate::place::{Blobs, Places};
use crate::plan::{Placed, State, Step};
use crate::program;
use crate::secrets::Token;
use crate::words::Words;

/// Between two looks at something that does not tell by itself.
const LOOK: Duration = Duration::from_millis(250);
/// Between two questions to the control plane whether it refuses this node.
const ASK: Duration = Duration::from_secs(2);

/// What steps work with.
pub(crate) struct Executor<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) desired: &'a NodeDesired,
    pub(crate) words: &'a Words,
    pub(crate) order: &'a Order,
    pub(crate) token: Option<&'a Token>,
    pub(crate) blobs: &'a dyn Blobs,
    pub(crate) units: &'a dyn Units,
    pub(crate) state: &'a mut State,
}

impl Executor<'_> {
    /// Does it, and writes down that it was done.
    pub(crate) async fn step(&mut self, step: &Step) -> Result<(), Failure> {
        match step {
            Step::Place(artifact) => self.place(artifact).await?,
            Step::Discover => self.discover().await?,
            Step::Write(file) => self.write(file)?,
            Step::Unwrite(path) => self.unwrite(path)?,
            Step::Run(once) => self.once(once).await?,
            Step::Start { unit, revision } => {
                self.start(unit).await?;
                self.state.units.insert(unit.name.clone(), *revision);
            }
            Step::Stop(name) => {
                let stopped = self.units.stop(name, Duration::from_secs(30)).await;
                stopped.map_err(|e| Failure::of("UnitFailed", &e))?;
                self.state.units.remove(name);
            }
            Step::Await(probe) => return self.wait(probe).await,
            Step::Joined => self.joined()?,
        }
        self.save()
    }

    fn save(&self) -> Result<(), Failure> {
        self.state.save(self.folder).map_err(|e| Failure::of("StateNotWritten", &e))
    }

    fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }

    async fn place(&mut self, artifact: &Artifact) -> Result<(), Failure> {
        let places = Places { bin: self.bin(), incoming: self.folder.join("incoming") };
        let mut placed = places.place(artifact, self.blobs).await?;
        if artifact.place == Placement::Image {
            for file in std::mem::take(&mut placed.files) {
                self.import(artifact, &file).await?;
                fs::remove_file(&file).map_err(|e| Failure::of("PlaceFailed", &e))?;
            }
        }
        let old = self.state.placed.insert(artifact.name.clone(), placed.clone());
        remove_left(&old, &placed);
        Ok(())
    }

    async fn import(&self, artifact: &Artifact, file: &Path) -> Result<(), Failure> {
        let ctr = self.bin().join("ctr");
        if !ctr.is_file() {
            let why = format!(
                "the image {} can only be imported with the program `ctr` among the artifacts",
                artifact.name
            );
            return Err(Failure::new("ImportFailed", why));
        }
        let words = ["--namespace", "k8s.io", "images", "import"].map(str::to_owned);
        let mut run = vec![ctr.display().to_string()];
        run.extend(self.order.containerd().map(|socket| format!("--address={socket}")));
        run.extend(words);
        run.push(file.display().to_string());
        let imported = program::run(&Command { run, creates: None, limit_s: 600 }, &self.bin()).await;
        imported.map_err(|f| Failure::new("ImportFailed", format!("{}: {}", artifact.name, f.message)))
    }

    async fn discover(&mut self) -> Result<(), Failure> {
        let (NodeRole::Worker(Some(join)), Some(token)) = (&self.desired.role, self.token) else {
            return Ok(());
        };
        let ca = join::discover(join, token).await?;
        let path = self.ca_path()?;
        write(Path::new(&path), &ca, 0o644).map_err(|e| Failure::of("WriteFailed", &e))?;
        self.state.discovered = Some(join.ca_pin.clone());
        Ok(())
    }

    fn ca_path(&self) -> Result<String, Failure> {
        let path = self.words.fill(&self.desired.distribution.ca_certificate);
        path.map_err(|e| Failure::of("BadDistribution", &e))
    }

    fn write(&mut self, file: &File) -> Result<(), Failure> {
        let mode = if file.private { 0o600 } else { 0o644 };
        // Remembered first: what is written is also removed.
        self.state.files.insert(file.path.clone());
        self.save()?;
        let failed = |e: io::Error| Failure::new("WriteFailed", format!("{}: {e}", file.path));
        write(Path::new(&file.path), &file.text, mode).map_err(failed)
    }

    fn unwrite(&mut self, path: &str) -> Result<(), Failure> {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(Failure::new("WriteFailed", format!("{path}: {e}")))
            }
            _ => {
                self.state.files.remove(path);
                Ok(())
            }
        }
    }

    async fn once(&mut self, once: &Once) -> Result<(), Failure> {
        let ran = program::run(&once.command, &self.bin()).await;
        ran.map_err(|failure| self.hidden(failure))?;
        self.state.done.insert(once.key);
        Ok(())
    }

    /// Programs like to repeat their arguments.
    fn hidden(&self, failure: Failure) -> Failure {
        let message = self.token.map_or_else(|| failure.message.clone(), |t| t.hide(&failure.message));
        Failure { message, ..failure }
    }

    async fn start(&self, unit: &Unit) -> Result<(), Failure> {
        let failed = |e: cairn_runtime::units::UnitError| Failure::of("UnitFailed", &e);
        let known = self.units.status(&unit.name).await.map_err(failed)?;
        self.units.ensure(&UnitOrder::of(unit)).await.map_err(failed)?;
        // What it is made of changed, perhaps not its order.
        if known.is_some_and(|s| matches!(s.state, UnitState::Running { .. } | UnitState::Pausing)) {
            self.units.restart(&unit.name).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn wait(&self, wanted: &Probe) -> Result<(), Failure> {
        let until = Instant::now() + Duration::from_secs(u64::from(wanted.patience_s));
        let mut ask = Instant::now() + ASK;
        loop {
            let Err(error) = probe::check(&wanted.condition).await else { return Ok(()) };
            let now = Instant::now();
            if now >= ask {
                if let Some(refused) = self.refused().await {
                    return Err(refused);
                }
                ask = Instant::now() + ASK;
            }
            if now >= until {
                let units = self.troubles().await;
                let why =
                    format!("{} is not ready after {} s: {error}{units}", wanted.name, wanted.patience_s);
                return Err(Failure::new("NotHealthy", why));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn refused(&self) -> Option<Failure> {
        let (NodeRole::Worker(Some(join)), Some(token)) = (&self.desired.role, self.token) else {
            return None;
        };
        self.state.discovered.as_ref()?;
        let ca = fs::read_to_string(self.ca_path().ok()?).ok()?;
        join::denial(join, token, &ca, &self.desired.node_name).await
    }

    /// Units that do not run, and why.
    async fn troubles(&self) -> String {
        let mut said = String::new();
        for name in self.state.units.keys() {
            if let Ok(Some(status)) = self.units.status(name).await
                && !matches!(status.state, UnitState::Running { .. })
            {
                said.push_str(&format!("; {name}: {}", status.message));
            }
        }
        said
    }

    fn joined(&mut self) -> Result<(), Failure> {
        self.state.joined = true;
        self.state.waiting_since = None;
        Ok(())
    }
}

/// Files of an older artifact that the newer one does not have.
fn remove_left(old: &Option<Placed>, new: &Placed) {
    let left = old.iter().flat_map(|o| &o.files).filter(|file| !new.files.contains(file));
    for file in left {
        let _ = fs::remove_file(file);
    }
}

/// Writes a whole file or nothing, durably.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent)?;
    let mut file = tempfile::Builder::new().prefix(".cairn-").tempfile_in(parent)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    crate::place::sync(parent)
}
