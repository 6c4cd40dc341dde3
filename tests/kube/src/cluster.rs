//! A control plane of real parts: etcd, kube-apiserver, kube-controller-manager, kube-scheduler.
//!
//! It listens on a loopback address of its own (127.x.y.z, from the folder's random name), so that many run at once on the usual
//! ports; or on an address of the caller's own network namespace. Ready within seconds; gone when dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::binaries::{Binaries, MissingError};
use crate::pki::{Identity, Pki, PkiError};
use crate::process::{Process, ProcessError};

/// Until a part answers, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);
/// Network of services; its first address is the API server's.
const SERVICES: &str = "10.96.0.0/16";
const FIRST_SERVICE: &str = "10.96.0.1";
const PODS: &str = "10.244.0.0/16";

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A program is not on this machine.
    #[error(transparent)]
    Missing(#[from] MissingError),
    /// A folder could not be made or written.
    #[error("cannot prepare the cluster's folder")]
    Prepare(#[from] std::io::Error),
    /// No certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A part did not start.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// kubectl failed.
    #[error("kubectl {args} failed: {said}")]
    Kubectl {
        /// Its arguments.
        args: String,
        /// What it said.
        said: String,
    },
}

/// A running control plane.
#[derive(Debug)]
pub struct Cluster {
    // In the order in which they end: the API server before etcd.
    scheduler: Option<Process>,
    controllers: Option<Process>,
    api: Option<Process>,
    etcd: Option<Process>,
    binaries: Binaries,
    address: String,
    pki: Pki,
    administrator: Identity,
    folder: TempDir,
}

impl Cluster {
    /// A cluster without nodes on a loopback address of its own. Returns when the API server is ready and the namespace
    /// `default` has its service account. Blocks: a few seconds.
    ///
    /// # Errors
    /// When a part is missing or does not start.
    pub fn start() -> Result<Self, StartError> {
        Self::start_on(None)
    }

    /// The same, on `address` of the calling thread's network namespace: nodes of other machines reach it there.
    ///
    /// # Errors
    /// When a part is missing or does not start.
    pub fn start_at(address: &str) -> Result<Self, StartError> {
        Self::start_on(Some(address))
    }

    fn start_on(address: Option<&str>) -> Result<Self, StartError> {
        let binaries = Binaries::find()?;
        let folder = tempfile::Builder::new().prefix("cairn-kube-").tempdir()?;
        let address = address.map_or_else(|| own_address(folder.path()), str::to_owned);
        let pki = Pki::new()?;
        let administrator = pki.client("test-administrator", "system:masters")?;
        let parts = (None, None, None, None);
        let (scheduler, controllers, api, etcd) = parts;
        let mut cluster =
            Self { scheduler, controllers, api, etcd, binaries, address, pki, administrator, folder };
        cluster.prepare()?;
        cluster.etcd = Some(cluster.etcd()?);
        cluster.start_api()?;
        cluster.controllers = Some(cluster.part("kube-controller-manager", &cluster.controller_args())?);
        cluster.scheduler = Some(cluster.part("kube-scheduler", &cluster.scheduler_args())?);
        cluster.await_default_account()?;
        Ok(cluster)
    }

    /// kubeconfig of an administrator.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.file("admin.conf")
    }

    /// `https://address:6443`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}:6443", self.address)
    }

    /// The authority that signed the API server's certificate.
    #[must_use]
    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    /// CA certificate of the API server, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.pki.authority().certificate
    }

    /// An administrator's client certificate and key, PEM.
    #[must_use]
    pub fn administrator(&self) -> &Identity {
        &self.administrator
    }

    /// Where its programs are.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// A folder for the logs and for whatever belongs to the cluster.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// kubectl as the administrator; what it printed.
    ///
    /// # Errors
    /// When it fails; with what it said.
    pub fn kubectl(&self, args: &[&str]) -> Result<String, StartError> {
        let mut command = Command::new(self.binaries.program("kubectl")?);
        command.arg("--kubeconfig").arg(self.kubeconfig()).args(args).env("HOME", self.folder.path());
        let out = command.stdin(Stdio::null()).output()?;
        if out.status.success() {
            return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&out.stderr).trim().to_owned();
        Err(StartError::Kubectl { args: args.join(" "), said })
    }

    /// Ends the API server at once. Clients find a closed port until [`start_api`](Self::start_api).
    pub fn kill_api(&mut self) {
        if let Some(api) = self.api.take() {
            api.kill();
        }
    }

    /// Starts the API server when it does not run, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_api(&mut self) -> Result<(), StartError> {
        if self.api.is_none() {
            let api = self.part("kube-apiserver", &self.api_args())?;
            api.wait(PATIENCE, || self.kubectl(&["get", "--raw", "/readyz"]).is_ok_and(|said| said == "ok"))?;
            self.api = Some(api);
        }
        Ok(())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    fn prepare(&self) -> Result<(), StartError> {
        let folder = self.folder.path();
        self.pki.authority().write(folder, "ca")?;
        let names = ["localhost", "kubernetes", "kubernetes.default.svc", FIRST_SERVICE, &self.address];
        self.pki.server(&names)?.write(folder, "api")?;
        self.pki.client("kube-apiserver", "system:masters")?.write(folder, "kubelet-client")?;
        self.pki.client("service-accounts", "")?.write(folder, "accounts")?;
        let accounts = self.accounts_public()?;
        fs::write(self.file("accounts.pub"), accounts)?;
        for part in ["controller-manager", "scheduler"] {
            let identity = self.pki.client(&format!("system:kube-{part}"), "")?;
            fs::write(self.file(&format!("{part}.conf")), self.pki.kubeconfig(&self.url(), &identity))?;
        }
        fs::write(self.kubeconfig(), self.pki.kubeconfig(&self.url(), &self.administrator))?;
        Ok(())
    }

    /// The API server takes a certificate as the public key of service accounts.
    fn accounts_public(&self) -> Result<Vec<u8>, StartError> {
        Ok(fs::read(self.file("accounts.crt"))?)
    }

    fn part(&self, program: &str, args: &[String]) -> Result<Process, StartError> {
        let log = self.file(&format!("{program}.log"));
        Ok(Process::start(&self.binaries.program(program)?, args, &log)?)
    }

    fn etcd(&self) -> Result<Process, StartError> {
        let (client, peer) =
            (format!("http://{}:2379", self.address), format!("http://{}:2380", self.address));
        let args = [
            format!("--data-dir={}", self.path("etcd")),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            // The data of a test need not survive the machine.
            "--unsafe-no-fsync".to_owned(),
        ];
        let etcd = self.part("etcd", &args)?;
        let client = client.trim_start_matches("http://").to_owned();
        etcd.wait(PATIENCE, || std::net::TcpStream::connect(&client).is_ok())?;
        Ok(etcd)
    }

    fn api_args(&self) -> Vec<String> {
        let file = |flag: &str, name: &str| format!("--{flag}={}", self.path(name));
        let mut args = vec![
            format!("--bind-address={}", self.address),
            "--secure-port=6443".to_owned(),
            format!("--etcd-servers=http://{}:2379", self.address),
            format!("--service-cluster-ip-range={SERVICES}"),
            file("client-ca-file", "ca.crt"),
            file("tls-cert-file", "api.crt"),
            file("tls-private-key-file", "api.key"),
            file("kubelet-certificate-authority", "ca.crt"),
            file("kubelet-client-certificate", "kubelet-client.crt"),
            file("kubelet-client-key", "kubelet-client.key"),
            // With names it would ask a name server for ten seconds first.
            "--kubelet-preferred-address-types=InternalIP,Hostname".to_owned(),
            file("service-account-key-file", "accounts.pub"),
            file("service-account-signing-key-file", "accounts.key"),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--enable-admission-plugins=NodeRestriction".to_owned(),
            "--enable-bootstrap-token-auth".to_owned(),
            "--allow-privileged".to_owned(),
        ];
        args.extend(match self.is_loopback() {
            // An address of the documentation's network: the service's endpoints may not be loopback, so there are none.
            true => {
                ["--endpoint-reconciler-type=none".to_owned(), "--advertise-address=192.0.2.1".to_owned()]
            }
            false => [
                "--endpoint-reconciler-type=lease".to_owned(),
                format!("--advertise-address={}", self.address),
            ],
        });
        args
    }

    fn controller_args(&self) -> Vec<String> {
        let file = |flag: &str, name: &str| format!("--{flag}={}", self.path(name));
        vec![
            file("kubeconfig", "controller-manager.conf"),
            file("authentication-kubeconfig", "controller-manager.conf"),
            file("authorization-kubeconfig", "controller-manager.conf"),
            format!("--bind-address={}", self.address),
            file("root-ca-file", "ca.crt"),
            file("cluster-signing-cert-file", "ca.crt"),
            file("cluster-signing-key-file", "ca.key"),
            file("service-account-private-key-file", "accounts.key"),
            "--use-service-account-credentials".to_owned(),
            "--controllers=*,bootstrapsigner,tokencleaner".to_owned(),
            "--allocate-node-cidrs".to_owned(),
            format!("--cluster-cidr={PODS}"),
            format!("--service-cluster-ip-range={SERVICES}"),
            "--leader-elect=false".to_owned(),
        ]
    }

    fn scheduler_args(&self) -> Vec<String> {
        let file = |flag: &str| format!("--{flag}={}", self.path("scheduler.conf"));
        vec![
            file("kubeconfig"),
            file("authentication-kubeconfig"),
            file("authorization-kubeconfig"),
            format!("--bind-address={}", self.address),
            "--leader-elect=false".to_owned(),
        ]
    }

    /// Pods are refused before it exists.
    fn await_default_account(&self) -> Result<(), StartError> {
        let Some(controllers) = &self.controllers else { return Ok(()) };
        let there = || self.kubectl(&["get", "serviceaccount", "default"]).is_ok();
        Ok(controllers.wait(PATIENCE, there)?)
    }

    fn is_loopback(&self) -> bool {
        self.address.starts_with("127.")
    }
}

/// 127.64.0.0 to 127.191.255.255: not where the machine's own services are.
fn own_address(folder: &Path) -> String {
    let digest = Sha256::digest(folder.as_os_str().as_encoded_bytes());
    let [a, b, c, ..] = digest.0;
    format!("127.{}.{b}.{}", 64 + a % 128, 1 + c % 254)
}
