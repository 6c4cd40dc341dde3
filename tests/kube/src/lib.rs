//! Real Kubernetes for tests: etcd, kube-apiserver, kube-controller-manager and kube-scheduler on a loopback address of their
//! own, in a temporary folder, ended when dropped; on wish a real node (containerd and kubelet) in namespaces of the test.
//!
//! Not a mock and not a product: certificates are made here, nothing outlives the test. Kubernetes is built once from Debian's
//! source package (`cargo xtask kube build`) or found in `KUBE_BIN_DIR`; etcd, containerd, runc and the CNI plugins are Debian's.
//!
//! | module | does |
//! |---|---|
//! | [`binaries`](Binaries) | finds the programs |
//! | [`recipe`] | builds Kubernetes |
//! | [`cluster`](Cluster) | starts a control plane |

mod binaries;
mod cluster;
mod pki;
mod process;
pub mod recipe;

pub use binaries::{Binaries, MissingError};
pub use cluster::{Cluster, StartError};
pub use pki::{Identity, Pki, PkiError};
pub use process::{Process, ProcessError};
