//! Where the programs are: `KUBE_BIN_DIR` wins, then what `cargo xtask kube build` left in the cache.

use std::env;
use std::path::{Path, PathBuf};

use crate::recipe;

/// A folder with Kubernetes' programs, and how the others are found.
#[derive(Debug, Clone)]
pub struct Binaries {
    kubernetes: PathBuf,
}

/// A program is not there.
#[derive(Debug, thiserror::Error)]
pub enum MissingError {
    /// Kubernetes was never built here.
    #[error("Kubernetes is not built on this machine: run `cargo xtask kube build`, or set KUBE_BIN_DIR")]
    Kubernetes,
    /// A Debian package is missing.
    #[error("{0} is not installed: `cargo xtask kube build` installs what the tests need")]
    Program(String),
}

impl Binaries {
    /// Finds the folder of Kubernetes' programs.
    ///
    /// # Errors
    /// When Kubernetes was not built and `KUBE_BIN_DIR` is not set.
    pub fn find() -> Result<Self, MissingError> {
        let kubernetes = match env::var_os("KUBE_BIN_DIR") {
            Some(folder) => PathBuf::from(folder),
            None => recipe::built().ok_or(MissingError::Kubernetes)?,
        };
        if !kubernetes.join("kube-apiserver").is_file() {
            return Err(MissingError::Program(kubernetes.join("kube-apiserver").display().to_string()));
        }
        Ok(Self { kubernetes })
    }

    /// The folder with kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kubeadm, kube-proxy and kubectl.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.kubernetes
    }

    /// A program of Kubernetes, of containerd (`CONTAINERD_BIN`, a folder, wins) or of the machine.
    ///
    /// # Errors
    /// When it is in none of them.
    pub fn program(&self, name: &str) -> Result<PathBuf, MissingError> {
        let containerd = env::var_os("CONTAINERD_BIN").map(PathBuf::from);
        let path = env::var_os("PATH").unwrap_or_default();
        // A login without sbin in its path is common.
        let usual = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
        std::iter::once(self.kubernetes.clone())
            .chain(containerd)
            .chain(env::split_paths(&path))
            .chain(usual)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
            .ok_or_else(|| MissingError::Program(name.to_owned()))
    }

    /// Folder of the CNI plugins: `CNI_BIN_DIR`, else Debian's.
    #[must_use]
    pub fn cni(&self) -> PathBuf {
        env::var_os("CNI_BIN_DIR").map_or_else(|| PathBuf::from("/usr/lib/cni"), PathBuf::from)
    }

    /// Version of the API server, such as `1.20.2`.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn version(&self) -> std::io::Result<String> {
        let out =
            std::process::Command::new(self.kubernetes.join("kube-apiserver")).arg("--version").output()?;
        let text = String::from_utf8_lossy(&out.stdout);
        Ok(text.trim().trim_start_matches("Kubernetes v").to_owned())
    }
}
