//! Real Kubernetes for tests: etcd, kube-apiserver, kube-controller-manager and kube-scheduler on a loopback address of their
//! own, in a temporary folder, ended when dropped; and hosts with namespaces of their own, on which a node can run.
//!
//! Not a mock and not a product: certificates are made here, nothing outlives the test. Kubernetes is built once from Debian's
//! source package (`cargo xtask kube build`) or found in `KUBE_BIN_DIR`; etcd, containerd, runc and the CNI plugins are Debian's.
//!
//! | module | does |
//! |---|---|
//! | [`binaries`](Binaries) | finds the programs |
//! | [`recipe`] | builds Kubernetes |
//! | [`cluster`](Cluster) | starts a control plane |
//! | [`machine`](Machine) | a host in this host: network and mounts of its own |
//! | [`image`] | a small OCI archive, always the same |

mod binaries;
mod cluster;
pub mod image;
mod machine;
mod pki;
mod process;
pub mod recipe;

pub use binaries::{Binaries, MissingError};
pub use cluster::{Cluster, StartError};
pub use machine::{Inside, Machine, MachineError, Wire};
pub use pki::{Identity, Pki, PkiError};
pub use process::{Process, ProcessError};
