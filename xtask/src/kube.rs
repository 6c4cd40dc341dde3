//! Kubernetes for the tests: Debian packages that are needed, then `cairn-kube build`, which builds it once for a machine.

use anyhow::Result;

use crate::build::Workshop;
use crate::host_tools::{self, Install, Purpose};

/// Builds it unless that was done before, and prints where it is. `KUBE_BIN_DIR` wins: then nothing is built.
pub(crate) fn build(workshop: &Workshop, install: Install) -> Result<()> {
    host_tools::ensure(Purpose::Kubernetes, install)?;
    if std::env::var_os("KUBE_BIN_DIR").is_some() {
        eprintln!("KUBE_BIN_DIR is set: Kubernetes is not built");
        return Ok(());
    }
    workshop.kube()?.arg("build").run()
}

/// Holds a control plane up.
pub(crate) fn up(workshop: &Workshop, install: Install) -> Result<()> {
    build(workshop, install)?;
    workshop.kube()?.arg("up").run()
}
