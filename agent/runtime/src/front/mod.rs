//! The one front of what a host runs itself: `ensure`, `remove`, `observe`, and ways in (logs, exec, console).
//!
//! Each application has one worker (`worker`), which compares what is there with what is ordered, again after each end, each
//! change and every few seconds. It remembers nothing that it could not find again: an agent that is killed anywhere goes on.
//!
//! ```text
//! ensure/remove --watch--> worker --> containerd | units
//! observe       <--watch--   '- waits for: end of the process, another order, a few seconds
//! ```
//!
//! Secrets: values take the place of their placeholders here. They live in the worker's memory; in containerd's container object
//! (its database and the bundle of the task); a machine's in its seed, in `/run`. Nothing else of them is written.

mod secret;
mod worker;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cairn_contract::Digest;
use cairn_contract::workload::{Application, ApplicationObserved, Body, Phase, Release, Secrets};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::container::{self, Containers, Exec, ExecError, Network, RunningExec};
use crate::engine::{Engine, EngineError};
use crate::image::{Images, Registry};
use crate::log::Log;
use crate::units::{RunAs, Units};
use crate::vm::{self, MachineError, Machines};
use worker::{Wanted, Worker};

/// What the front is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// containerd's socket.
    pub containerd: PathBuf,
    /// In memory: `/run/cairn`.
    pub run: PathBuf,
    /// On the disk: `/var/lib/cairn`.
    pub state: PathBuf,
    /// Of containers.
    pub network: Network,
    /// Folders of the host that volumes may show, for reading.
    pub host_paths: Vec<PathBuf>,
    /// `qemu-system-x86_64`.
    pub qemu: PathBuf,
    /// `qemu-img`.
    pub qemu_img: PathBuf,
    /// Whom QEMU runs as; absent: as the agent.
    pub vm_user: Option<RunAs>,
    /// For a guest to power off before it is ended: 60 s.
    pub vm_grace: std::time::Duration,
}

/// Why something cannot be asked of the front.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Objects of Kubernetes are the applier's.
    #[error("application {0} is neither a container nor a virtual machine")]
    NotOurs(String),
    /// Not an RFC 1123 label.
    #[error("`{0}` is no name of an application: letters a-z, digits and `-`, at most 63")]
    Name(String),
    /// Nothing is known of it.
    #[error("there is no application {0}")]
    Unknown(String),
    /// The agent's folders.
    #[error("cannot make {}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// containerd.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A machine.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// A program in a container.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// A deployment's files.
    #[error(transparent)]
    Container(#[from] container::ContainerError),
}

/// How one application is.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Uid of its Deployment.
    pub deployment: Uuid,
    /// Which order it tells of.
    pub revision: Digest,
    /// Phase, reason, workload.
    pub application: ApplicationObserved,
    /// Changes by others that were put right since the agent started.
    pub corrected: u64,
}

/// Containers and virtual machines of this host.
#[derive(Debug)]
pub struct Runtime {
    parts: Arc<Parts>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct Parts {
    containers: Containers,
    machines: Machines,
}

type Key = (Uuid, String);

#[derive(Debug, Default)]
struct State {
    workers: BTreeMap<Key, Handle>,
    tasks: JoinSet<()>,
}

#[derive(Debug, Clone)]
struct Handle {
    wanted: watch::Sender<Wanted>,
    seen: watch::Receiver<Seen>,
}

impl Runtime {
    /// Nothing is started, nothing is ended: that follows from [`Runtime::ensure`] and [`Runtime::remove`].
    ///
    /// # Errors
    /// The folders cannot be made.
    pub fn open(
        config: Config,
        units: Arc<dyn Units>,
        registry: Arc<dyn Registry>,
    ) -> Result<Self, RuntimeError> {
        for path in [&config.run, &config.state] {
            fs::create_dir_all(path).map_err(|source| RuntimeError::Folder { path: path.clone(), source })?;
        }
        let engine = Engine::at(&config.containerd, "cairn");
        let containers = Containers {
            images: Images::new(engine.clone()),
            engine,
            registry: Arc::clone(&registry),
            network: config.network,
            run: config.run.clone(),
            state: config.state.clone(),
            host_paths: config.host_paths,
        };
        let machines = Machines {
            units,
            registry,
            qemu: config.qemu,
            qemu_img: config.qemu_img,
            run: config.run,
            state: config.state,
            user: config.vm_user,
            grace: config.vm_grace,
            accelerator: tokio::sync::OnceCell::new(),
        };
        let parts = Arc::new(Parts { containers, machines });
        Ok(Self { parts, state: Mutex::default() })
    }

    /// Sees to it that the application is as its release says. Returns when the order is taken; [`Runtime::observe`] tells the
    /// rest. The same order again changes nothing.
    ///
    /// # Errors
    /// It is not for this front, or its name is none.
    pub fn ensure(
        &self,
        release: &Release,
        application: &Application,
        secrets: &Secrets,
    ) -> Result<(), RuntimeError> {
        check_name(&application.name)?;
        let (deployment, name) = (release.deployment, application.name.clone());
        let wanted = match &application.body {
            Body::Manifests { .. } => return Err(RuntimeError::NotOurs(name)),
            Body::Container(order) => {
                let env = order.env.iter().map(|e| secret::place(e, secrets)).collect();
                let order = order.as_ref().clone();
                let application = name.clone();
                Wanted::Container(container::Job {
                    deployment,
                    application,
                    revision: release.revision,
                    order,
                    env,
                })
            }
            Body::Vm(order) => {
                let user_data = order.user_data.as_ref().map(|d| secret::place(d, secrets));
                let order = order.as_ref().clone();
                Wanted::Vm(
                    vm::Job { deployment, application: name.clone(), order, user_data },
                    release.revision,
                )
            }
        };
        self.tell((deployment, name), wanted);
        Ok(())
    }

    /// Removes the application, whatever it is, with all but the deployment's volumes. Returns when nothing of it is left, or when
    /// something else was ordered meanwhile. One that is not there is no error. Dropping the future does not stop the removal.
    ///
    /// # Errors
    /// Its name is none.
    pub async fn remove(&self, deployment: Uuid, application: &str) -> Result<(), RuntimeError> {
        check_name(application)?;
        let key = (deployment, application.to_owned());
        let mut handle = self.tell(key.clone(), Wanted::Gone);
        loop {
            if handle.wanted.is_closed() || !matches!(*handle.wanted.borrow(), Wanted::Gone) {
                break;
            }
            if handle.seen.changed().await.is_err() {
                break;
            }
        }
        let mut state = self.lock();
        if state.workers.get(&key).is_some_and(|h| h.wanted.is_closed()) {
            state.workers.remove(&key);
        }
        Ok(())
    }

    /// Removes the volumes of a deployment that is gone.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn forget(&self, deployment: Uuid) -> Result<(), RuntimeError> {
        Ok(self.parts.containers.remove_volumes(deployment)?)
    }

    /// How everything is that was ordered since the agent started, and what is being removed.
    #[must_use]
    pub fn observe(&self) -> Vec<Seen> {
        let state = self.lock();
        state.workers.values().filter(|h| !h.wanted.is_closed()).map(|h| h.seen.borrow().clone()).collect()
    }

    /// What is on this host, also of earlier agents: what is not desired any more must be given to [`Runtime::remove`].
    ///
    /// # Errors
    /// containerd's.
    pub async fn known(&self) -> Result<Vec<(Uuid, String)>, RuntimeError> {
        let mut known = self.parts.machines.known();
        known.extend(self.parts.containers.known().await?);
        known.extend(self.lock().workers.keys().cloned());
        known.sort();
        known.dedup();
        Ok(known)
    }

    /// Its log: a container's output, a machine's serial line.
    #[must_use]
    pub fn log(&self, deployment: Uuid, application: &str) -> Log {
        let id = container::id(deployment, application);
        let machine = self.parts.machines.log(&id);
        if machine.path().exists() { machine } else { self.parts.containers.log(&id) }
    }

    /// Runs a program in a container.
    ///
    /// # Errors
    /// The container does not run, or containerd's.
    pub async fn exec(
        &self,
        deployment: Uuid,
        application: &str,
        what: &Exec,
    ) -> Result<RunningExec, RuntimeError> {
        let (id, containers) = (container::id(deployment, application), &self.parts.containers);
        Ok(container::start_exec(&containers.engine, &id, &containers.run, what).await?)
    }

    /// The serial console of a machine: raw bytes both ways. One at a time; another waits.
    ///
    /// # Errors
    /// It does not run.
    pub async fn console(&self, deployment: Uuid, application: &str) -> Result<UnixStream, RuntimeError> {
        Ok(self.parts.machines.console(&container::id(deployment, application)).await?)
    }

    /// Starts a machine anew.
    ///
    /// # Errors
    /// There is none.
    pub async fn restart(&self, deployment: Uuid, application: &str) -> Result<(), RuntimeError> {
        Ok(self.parts.machines.restart(&container::id(deployment, application)).await?)
    }

    /// The images of this host's containers, to import archives.
    #[must_use]
    pub fn images(&self) -> &Images {
        &self.parts.containers.images
    }

    fn tell(&self, key: Key, wanted: Wanted) -> Handle {
        let mut state = self.lock();
        while state.tasks.try_join_next().is_some() {}
        if let Some(handle) = state.workers.get(&key).filter(|h| !h.wanted.is_closed()).cloned() {
            handle.wanted.send_if_modified(|held| {
                let differs = *held != wanted;
                if differs {
                    *held = wanted;
                }
                differs
            });
            return handle;
        }
        let application = ApplicationObserved {
            name: key.1.clone(),
            phase: Phase::Waiting,
            reason: "Taken".to_owned(),
            message: String::new(),
            workloads: vec![],
        };
        let seen = Seen { deployment: key.0, revision: wanted.revision(), application, corrected: 0 };
        let ((tell, told), (say, seen)) = (watch::channel(wanted), watch::channel(seen));
        let worker = Worker::new(Arc::clone(&self.parts), key.clone(), told, say);
        state.tasks.spawn(worker.run());
        let handle = Handle { wanted: tell, seen };
        state.workers.insert(key, handle.clone());
        handle
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_name(name: &str) -> Result<(), RuntimeError> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = !name.is_empty() && name.len() <= 63 && name.chars().all(legal) && !name.starts_with('-');
    if good { Ok(()) } else { Err(RuntimeError::Name(name.to_owned())) }
}
