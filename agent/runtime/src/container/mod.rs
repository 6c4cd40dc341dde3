//! Containers on the host's own containerd. Not images (`image`) and not who wants them (`front`).
//!
//! What makes one up, all under one id, so that an agent that was killed anywhere finds it again:
//!
//! | part | where | removed with |
//! |---|---|---|
//! | container object, its label `cairn/form` | containerd | the container |
//! | writable snapshot | containerd | the container |
//! | network namespace, CNI result | `<run>/netns/<id>`, `<run>/cni/<id>.json` | the container |
//! | `/etc/hosts`, log | `<state>/containers/<id>/` | the application |
//! | named volumes | `<state>/volumes/<deployment>/<name>` | the deployment |
//!
//! Environments with secrets lie in containerd's container object (its database and the bundle in its state folder), nowhere else.

mod cgroup;
mod cni;
mod exec;
mod life;
mod netns;
mod spec;
mod user;

pub use cni::{Network, NetworkError};
pub(crate) use exec::start as start_exec;
pub use exec::{Exec, ExecError, Running as RunningExec};
pub use life::ContainerError;
pub(crate) use life::{Containers, Job, State, id};
pub use spec::SpecError;
