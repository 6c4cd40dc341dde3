//! The containerd of the host's own containers: started when the first is ordered, apart from the one that a node of a cluster has
//! (that one comes and goes with the node). Its shims outlive the agent and containerd itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_contract::workload::Unit;
use cairn_runtime::units::{Order, Units};

/// Debian's places.
const PROGRAM: &str = "/usr/bin/containerd";
const UNIT: &str = "containers";
const PLUGINS: &str = "/usr/lib/cni";

/// Starts it.
#[derive(Debug)]
pub(super) struct Engine {
    units: Arc<dyn Units>,
    run: PathBuf,
    state: PathBuf,
}

impl Engine {
    pub(super) fn new(units: Arc<dyn Units>, run: &Path, state: &Path) -> Self {
        Self { units, run: run.join("containerd"), state: state.join("containerd") }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.run.join("containerd.sock")
    }

    /// Whether it ever ran here: containers of it may be left.
    pub(super) fn was_used(&self) -> bool {
        self.state.exists()
    }

    /// Sees to it that it is kept running.
    ///
    /// # Errors
    /// In words: its folders, its unit, or that the image has none.
    pub(super) async fn start(&self) -> Result<(), String> {
        if !Path::new(PROGRAM).exists() {
            return Err(
                "this image has no containerd; install one that has, such as Cairn edge OS".to_owned()
            );
        }
        let file = self.configure().map_err(|e| format!("containerd cannot be set up: {e}"))?;
        let unit = Unit {
            name: UNIT.to_owned(),
            run: [PROGRAM, "--config", &file.display().to_string()].map(str::to_owned).to_vec(),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/sbin:/usr/bin:/sbin:/bin".to_owned())]),
            after: Vec::new(),
            leave_children: true,
        };
        self.units.ensure(&Order::of(&unit)).await.map_err(|e| format!("containerd is not started: {e}"))
    }

    fn configure(&self) -> std::io::Result<PathBuf> {
        for folder in [&self.run, &self.state] {
            fs::create_dir_all(folder)?;
        }
        let (root, state) = (self.state.display(), self.run.join("state"));
        let text = format!(
            "version = 2\nroot = \"{root}\"\nstate = \"{}\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\n[grpc]\n  \
             address = \"{}\"\n",
            state.display(),
            self.socket().display()
        );
        let file = self.run.join("config.toml");
        if fs::read_to_string(&file).is_ok_and(|old| old == text) {
            return Ok(file);
        }
        fs::write(&file, text)?;
        Ok(file)
    }

    /// What the runtime is told of this host.
    pub(super) fn config(&self, run: &Path, state: &Path) -> cairn_runtime::Config {
        cairn_runtime::Config {
            containerd: self.socket(),
            run: run.to_owned(),
            state: state.to_owned(),
            network: cairn_runtime::container::Network {
                plugins: PLUGINS.into(),
                bridge: "cairn0".to_owned(),
                subnet: "10.87.0.0/16".to_owned(),
                addresses: run.join("addresses"),
            },
            host_paths: vec!["/srv".into()],
            qemu: "/usr/bin/qemu-system-x86_64".into(),
            qemu_img: "/usr/bin/qemu-img".into(),
            vm_user: None,
            vm_grace: std::time::Duration::from_secs(30),
        }
    }
}
