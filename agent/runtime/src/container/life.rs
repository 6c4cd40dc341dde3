//! One container from order to process and back. Each step may be repeated: an agent that was killed between two goes on.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cairn_contract::Digest;
use cairn_contract::workload::{Container, Mount, Port, Protocol, Pull};
use containerd_client::services::v1::container::Runtime;
use containerd_client::services::v1::snapshots::MountsRequest;
use containerd_client::services::v1::{
    Container as Stored, CreateContainerRequest, CreateTaskRequest, DeleteContainerRequest,
    DeleteTaskRequest, GetContainerRequest, GetRequest, KillRequest, ListContainersRequest,
    ResumeTaskRequest, StartRequest, WaitRequest,
};
use containerd_client::types::v1::Status as TaskStatus;
use nix::sys::signal::Signal;
use prost_types::Any;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::cni::Attachment;
use super::user::{self, User};
use super::{Network, NetworkError, SpecError, cgroup, netns, spec};
use crate::engine::{Engine, EngineError, or_gone, refused};
use crate::image::{Image, ImageError, Images, Registry, prepare, remove_snapshot};
use crate::log::Log;

const SPEC_URL: &str = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
const RUNTIME: &str = "io.containerd.runc.v2";
/// Between the stop signal and SIGKILL.
const GRACE: Duration = Duration::from_secs(10);

/// Why a container is not as ordered.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// Its image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Its order.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Its network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Its user.
    #[error("the image has no user `{0}`")]
    User(String),
    /// The agent's files.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// containerd.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl ContainerError {
    /// One word for status.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Image(error) => error.reason(),
            Self::Spec(SpecError::HostPath(..)) => "HostPathRefused",
            Self::Spec(_) => "SpecInvalid",
            Self::Network(NetworkError::PortTaken(_)) => "PortTaken",
            Self::Network(_) => "NetworkFailed",
            Self::User(_) => "UserUnknown",
            Self::File { source, .. } if source.kind() == io::ErrorKind::StorageFull => "DiskFull",
            Self::File { .. } => "FileFailed",
            Self::Engine(error) => error.reason(),
        }
    }
}

/// A container as ordered.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) deployment: Uuid,
    pub(crate) application: String,
    /// Of its release.
    pub(crate) revision: Digest,
    pub(crate) order: Container,
    /// The order's, with secrets in their places.
    pub(crate) env: Vec<String>,
}

impl Job {
    pub(crate) fn id(&self) -> String {
        id(self.deployment, &self.application)
    }

    /// Another form is another container. An order that holds a secret, or fetches always, is another one with each revision.
    fn form(&self) -> String {
        let volatile =
            self.order.pull == Pull::Always || self.order.env.iter().any(|e| e.contains("cairn-secret-"));
        let revision = volatile.then_some(self.revision);
        Digest::of(&serde_json::to_vec(&(&self.order, revision)).unwrap_or_default()).to_string()
    }
}

/// containerd's id of it: readable, unique, at most 76 characters.
pub(crate) fn id(deployment: Uuid, application: &str) -> String {
    let digest = Digest::of(format!("{deployment}/{application}").as_bytes()).to_string();
    let short: String =
        application.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    format!("{}-{}", short.trim_matches('-'), digest.get(..16).unwrap_or_default())
}

/// How a container's process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// There is no container of this form.
    Absent,
    /// A container without a process.
    Idle,
    Running,
    /// Its process ended; `out_of_memory` when the kernel ended it.
    Ended {
        status: u32,
        out_of_memory: bool,
    },
}

/// What the containers of this host share.
#[derive(Debug)]
pub(crate) struct Containers {
    pub(crate) engine: Engine,
    pub(crate) images: Images,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) network: Network,
    /// In memory.
    pub(crate) run: PathBuf,
    /// On the disk.
    pub(crate) state: PathBuf,
    pub(crate) host_paths: Vec<PathBuf>,
}

/// What is needed to detach a container, written before it is attached.
#[derive(Debug, Serialize, Deserialize)]
struct Attached {
    ports: Vec<Port>,
    result: Option<Value>,
}

impl Containers {
    /// How it is; another form of it counts as absent.
    pub(crate) async fn look(&self, job: &Job) -> Result<State, ContainerError> {
        let request = self.engine.ask(GetContainerRequest { id: job.id() });
        let got = self.engine.containers().await?.get(request).await.map_err(refused("look for a container"));
        let labels = or_gone(got)?.and_then(|g| g.into_inner().container).map(|c| c.labels);
        if labels.and_then(|l| l.get("cairn/form").cloned()) != Some(job.form()) {
            return Ok(State::Absent);
        }
        self.state(&job.id()).await
    }

    async fn state(&self, id: &str) -> Result<State, ContainerError> {
        let request = self.engine.ask(GetRequest { container_id: id.to_owned(), ..Default::default() });
        let got = self.engine.tasks().await?.get(request).await.map_err(refused("look for a task"));
        let Some(process) = or_gone(got)?.and_then(|g| g.into_inner().process) else {
            return Ok(State::Idle);
        };
        Ok(match process.status() {
            TaskStatus::Running | TaskStatus::Pausing => State::Running,
            TaskStatus::Paused => {
                let request = self.engine.ask(ResumeTaskRequest { container_id: id.to_owned() });
                self.engine.tasks().await?.resume(request).await.map_err(refused("resume a task"))?;
                State::Running
            }
            TaskStatus::Stopped => {
                let out_of_memory = cgroup::ran_out_of_memory(id);
                State::Ended { status: process.exit_status, out_of_memory }
            }
            TaskStatus::Created | TaskStatus::Unknown => State::Idle,
        })
    }

    /// Makes the container, in the place of whatever has its id. Its volumes and its log stay.
    pub(crate) async fn make(&self, job: &Job) -> Result<(), ContainerError> {
        let id = job.id();
        let image = self.images.ensure(&job.order.image, job.order.pull, self.registry.as_ref()).await?;
        self.dismantle(&id).await?;
        let user = self.user(&id, &image).await?;
        let spec = self.spec(job, &image, user)?;
        let snapshotter = self.engine.snapshotter().await?;
        self.make_volumes(job)?;
        let root = HashMap::from([("containerd.io/gc.root".to_owned(), "cairn".to_owned())]);
        prepare(&self.engine, &snapshotter, (&id, &image.top), root).await?;
        let labels = HashMap::from([
            ("cairn/form".to_owned(), job.form()),
            ("cairn/deployment".to_owned(), job.deployment.to_string()),
            ("cairn/application".to_owned(), job.application.clone()),
            ("cairn/stop-signal".to_owned(), image.config.config.stop_signal.clone()),
        ]);
        let spec = Any { type_url: SPEC_URL.to_owned(), value: spec.to_string().into_bytes() };
        let container = Stored {
            id: id.clone(),
            labels,
            image: image.name,
            runtime: Some(Runtime { name: RUNTIME.to_owned(), options: None }),
            spec: Some(spec),
            snapshotter,
            snapshot_key: id,
            ..Stored::default()
        };
        let request = self.engine.ask(CreateContainerRequest { container: Some(container) });
        self.engine.containers().await?.create(request).await.map_err(refused("make a container"))?;
        Ok(())
    }

    /// Starts its process, after what is left of an earlier one is gone.
    pub(crate) async fn start(&self, job: &Job) -> Result<(), ContainerError> {
        let id = job.id();
        self.end_task(&id, Duration::ZERO, None).await?;
        if !job.order.host_network {
            self.ensure_network(job).await?;
        }
        let log = self.log(&id);
        let path = log.path().to_owned();
        log.open().map_err(|source| ContainerError::File { what: "open", path, source })?;
        let out = format!("file://{}", log.path().display());
        let snapshotter = self.engine.snapshotter().await?;
        let request = self.engine.ask(MountsRequest { snapshotter, key: id.clone() });
        let mounts =
            self.engine.snapshots().await?.mounts(request).await.map_err(refused("mount a container"))?;
        let rootfs = mounts.into_inner().mounts;
        let container_id = id.clone();
        let task = CreateTaskRequest {
            container_id,
            rootfs,
            stdout: out.clone(),
            stderr: out,
            ..Default::default()
        };
        let mut tasks = self.engine.tasks().await?;
        tasks.create(self.engine.ask(task)).await.map_err(refused("start a container"))?;
        let request = self.engine.ask(StartRequest { container_id: id, ..Default::default() });
        tasks.start(request).await.map_err(refused("start a container"))?;
        Ok(())
    }

    /// Returns when its process has ended, or is gone.
    pub(crate) async fn ended(&self, id: &str) -> Result<(), EngineError> {
        let wait = WaitRequest { container_id: id.to_owned(), ..Default::default() };
        let request = self.engine.ask_forever(wait);
        let waited = self.engine.tasks().await?.wait(request).await.map_err(refused("wait for a container"));
        or_gone(waited).map(drop)
    }

    /// Removes all of it but its volumes.
    pub(crate) async fn remove(&self, deployment: Uuid, application: &str) -> Result<(), ContainerError> {
        let id = id(deployment, application);
        self.dismantle(&id).await?;
        let folder = self.state.join("containers").join(&id);
        remove_folder(&folder)
    }

    /// Removes the volumes of a deployment.
    pub(crate) fn remove_volumes(&self, deployment: Uuid) -> Result<(), ContainerError> {
        remove_folder(&self.volumes(deployment))
    }

    /// Deployment and application of each container that is there.
    pub(crate) async fn known(&self) -> Result<Vec<(Uuid, String)>, EngineError> {
        let request = self.engine.ask(ListContainersRequest { filters: vec![] });
        let list = self.engine.containers().await?.list(request).await.map_err(refused("list containers"))?;
        let named = |c: Stored| {
            let deployment = c.labels.get("cairn/deployment")?.parse().ok()?;
            Some((deployment, c.labels.get("cairn/application")?.clone()))
        };
        Ok(list.into_inner().containers.into_iter().filter_map(named).collect())
    }

    pub(crate) fn log(&self, id: &str) -> Log {
        Log::at(self.state.join("containers").join(id).join("out.log"))
    }

    /// Removes all but its log.
    pub(crate) async fn dismantle(&self, id: &str) -> Result<(), ContainerError> {
        let request = self.engine.ask(GetContainerRequest { id: id.to_owned() });
        let got = self.engine.containers().await?.get(request).await.map_err(refused("look for a container"));
        let labels = or_gone(got)?.and_then(|g| g.into_inner().container).map(|c| c.labels);
        let signal = labels.and_then(|l| l.get("cairn/stop-signal")?.parse::<Signal>().ok());
        self.end_task(id, GRACE, signal).await?;
        let request = self.engine.ask(DeleteContainerRequest { id: id.to_owned() });
        let gone = self.engine.containers().await?.delete(request).await;
        or_gone(gone.map_err(refused("remove a container")))?;
        remove_snapshot(&self.engine, &self.engine.snapshotter().await?, id).await?;
        self.drop_network(id).await
    }

    /// Ends its process and removes the task. None is no error.
    async fn end_task(
        &self,
        id: &str,
        grace: Duration,
        signal: Option<Signal>,
    ) -> Result<(), ContainerError> {
        if self.state(id).await? == State::Running {
            self.kill(id, signal.unwrap_or(Signal::SIGTERM)).await?;
            let _elapsed = tokio::time::timeout(grace, self.ended(id)).await;
        }
        self.kill(id, Signal::SIGKILL).await?;
        let _elapsed = tokio::time::timeout(GRACE, self.ended(id)).await;
        let request = self.engine.ask(DeleteTaskRequest { container_id: id.to_owned() });
        let gone = self.engine.tasks().await?.delete(request).await.map_err(refused("remove a task"));
        or_gone(gone)?;
        Ok(())
    }

    async fn kill(&self, id: &str, signal: Signal) -> Result<(), ContainerError> {
        let kill = KillRequest {
            container_id: id.to_owned(),
            signal: u32::try_from(signal as i32).unwrap_or(9),
            all: signal == Signal::SIGKILL,
            ..Default::default()
        };
        let request = self.engine.ask(kill);
        match or_gone(self.engine.tasks().await?.kill(request).await.map_err(refused("end a process"))) {
            Err(error) if error.is(containerd_client::tonic::Code::FailedPrecondition) => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }

    async fn user(&self, id: &str, image: &Image) -> Result<User, ContainerError> {
        let text = &image.config.config.user;
        if let Some(user) = user::numbers(text) {
            return Ok(user);
        }
        let snapshotter = self.engine.snapshotter().await?;
        let key = format!("{id} user");
        remove_snapshot(&self.engine, &snapshotter, &key).await?;
        let mounts = prepare(&self.engine, &snapshotter, (&key, &image.top), HashMap::new()).await?;
        let at = self.run.join("user").join(id);
        let path = at.clone();
        let read = tokio::task::spawn_blocking(move || user::tables(&mounts, &at)).await;
        let read = read.unwrap_or_else(|e| Err(io::Error::other(e)));
        remove_snapshot(&self.engine, &snapshotter, &key).await?;
        let (passwd, group) = read.map_err(|source| ContainerError::File { what: "mount", path, source })?;
        user::look_up(text, &passwd, &group).ok_or_else(|| ContainerError::User(text.clone()))
    }

    fn spec(&self, job: &Job, image: &Image, user: User) -> Result<Value, ContainerError> {
        let id = job.id();
        let netns = (!job.order.host_network).then(|| self.netns(&id));
        let hosts = self.state.join("containers").join(&id).join("hosts");
        write(&hosts, format!("127.0.0.1 localhost {0}\n::1 localhost\n", job.application).as_bytes())?;
        let mut files = vec![(hosts, "/etc/hosts")];
        let resolv = PathBuf::from("/etc/resolv.conf");
        if resolv.exists() {
            files.push((resolv, "/etc/resolv.conf"));
        }
        Ok(spec::spec(&spec::Parts {
            id: &id,
            order: &job.order,
            image: &image.config.config,
            env: job.env.clone(),
            user,
            netns,
            hostname: job.application.clone(),
            files,
            volumes: self.volumes(job.deployment),
            allowed_host_paths: &self.host_paths,
        })?)
    }

    fn make_volumes(&self, job: &Job) -> Result<(), ContainerError> {
        for volume in &job.order.volumes {
            if let Mount::Name(name) = &volume.mount {
                let path = self.volumes(job.deployment).join(spec::checked_name(name)?);
                let made = fs::create_dir_all(&path);
                made.map_err(|source| ContainerError::File { what: "make", path, source })?;
            }
        }
        Ok(())
    }

    async fn ensure_network(&self, job: &Job) -> Result<(), ContainerError> {
        let id = job.id();
        let path = self.netns(&id);
        let attached = self.attached(&id).is_some_and(|a| a.result.is_some());
        if attached && netns::exists(&path) {
            return Ok(());
        }
        self.drop_network(&id).await?;
        free(&job.order.ports)?;
        let at = path.clone();
        let made = tokio::task::spawn_blocking(move || netns::make(&at)).await;
        let made = made.unwrap_or_else(|e| Err(io::Error::other(e)));
        made.map_err(|source| NetworkError::Namespace { what: "make", source })?;
        let mut attached = Attached { ports: job.order.ports.clone(), result: None };
        self.note_network(&id, &attached)?;
        let to = Attachment { id: &id, netns: &path, ports: &job.order.ports };
        match self.network.attach(to).await {
            Ok(result) => attached.result = Some(result),
            Err(error) => {
                let _told_above = self.drop_network(&id).await;
                return Err(error.into());
            }
        }
        self.note_network(&id, &attached)
    }

    async fn drop_network(&self, id: &str) -> Result<(), ContainerError> {
        let path = self.netns(id);
        if let Some(attached) = self.attached(id) {
            let from = Attachment { id, netns: &path, ports: &attached.ports };
            self.network.detach(from, attached.result).await?;
        }
        netns::remove(&path).map_err(|source| NetworkError::Namespace { what: "remove", source })?;
        let path = self.network_file(id);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ContainerError::File { what: "remove", path, source: error })
            }
            _ => Ok(()),
        }
    }

    fn attached(&self, id: &str) -> Option<Attached> {
        serde_json::from_slice(&fs::read(self.network_file(id)).ok()?).ok()
    }

    fn note_network(&self, id: &str, attached: &Attached) -> Result<(), ContainerError> {
        write(&self.network_file(id), &serde_json::to_vec(attached).unwrap_or_default())
    }

    fn netns(&self, id: &str) -> PathBuf {
        self.run.join("netns").join(id)
    }

    fn network_file(&self, id: &str) -> PathBuf {
        self.run.join("cni").join(format!("{id}.json"))
    }

    fn volumes(&self, deployment: Uuid) -> PathBuf {
        self.state.join("volumes").join(deployment.to_string())
    }
}

/// Nobody on the host listens there.
fn free(ports: &[Port]) -> Result<(), NetworkError> {
    for port in ports {
        let at = (Ipv4Addr::UNSPECIFIED, port.host);
        let (bound, word) = match port.protocol {
            Protocol::TCP => (TcpListener::bind(at).map(drop), "tcp"),
            Protocol::UDP => (UdpSocket::bind(at).map(drop), "udp"),
        };
        if bound.is_err_and(|e| e.kind() == io::ErrorKind::AddrInUse) {
            return Err(NetworkError::PortTaken(format!("{}/{word}", port.host)));
        }
    }
    Ok(())
}

/// Written beside and renamed.
fn write(path: &Path, bytes: &[u8]) -> Result<(), ContainerError> {
    let new = path.with_extension("new");
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written = folder.and_then(|()| fs::write(&new, bytes)).and_then(|()| fs::rename(&new, path));
    written.map_err(|source| ContainerError::File { what: "write", path: path.to_owned(), source })
}

fn remove_folder(path: &Path) -> Result<(), ContainerError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ContainerError::File { what: "remove", path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}
