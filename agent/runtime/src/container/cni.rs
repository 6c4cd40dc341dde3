//! A container's network: plugins `bridge` (with `host-local`) and `portmap`, by the CNI protocol 0.4.0 (environment, JSON on standard
//! input). The host's own folder of networks (`/etc/cni/net.d`, Kubernetes') is not touched.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use cairn_contract::workload::{Port, Protocol};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(60);
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The network that the host's containers share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Folder of the plugins: `/usr/lib/cni`, `/opt/cni/bin`.
    pub plugins: PathBuf,
    /// The bridge, made at first use.
    pub bridge: String,
    /// IPv4 subnet of it, such as `10.87.0.0/16`.
    pub subnet: String,
    /// Where `host-local` keeps the addresses it gave.
    pub addresses: PathBuf,
}

/// Why a container has no network.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A plugin could not be run.
    #[error("cannot run the CNI plugin {plugin}; install the plugins (Debian: containernetworking-plugins)")]
    Run {
        /// Which.
        plugin: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A plugin failed.
    #[error("the CNI plugin {plugin} failed: {text}")]
    Failed {
        /// Which.
        plugin: &'static str,
        /// What it said.
        text: String,
    },
    /// A port is another's.
    #[error("port {0} of the host is taken")]
    PortTaken(String),
    /// The namespace.
    #[error("cannot {what} a network namespace")]
    Namespace {
        /// What was tried.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// One container's part of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attachment<'a> {
    pub(super) id: &'a str,
    pub(super) netns: &'a std::path::Path,
    pub(super) ports: &'a [Port],
}

impl Network {
    /// Attaches it; the plugins' last result, which [`Network::detach`] wants back.
    pub(super) async fn attach(&self, to: Attachment<'_>) -> Result<Value, NetworkError> {
        let first = self.call("bridge", "ADD", to, self.bridge_config()).await?;
        let mut config = self.portmap_config(to.ports);
        if to.ports.is_empty() {
            return Ok(first);
        }
        config["prevResult"] = first;
        self.call("portmap", "ADD", to, config).await
    }

    /// Detaches it. Nothing attached is no error (CNI specification: DEL is idempotent).
    pub(super) async fn detach(&self, from: Attachment<'_>, last: Option<Value>) -> Result<(), NetworkError> {
        let mut ports = self.portmap_config(from.ports);
        let mut bridge = self.bridge_config();
        if let Some(last) = last {
            ports["prevResult"] = last.clone();
            bridge["prevResult"] = last;
        }
        if !from.ports.is_empty() {
            self.call("portmap", "DEL", from, ports).await?;
        }
        self.call("bridge", "DEL", from, bridge).await.map(drop)
    }

    fn bridge_config(&self) -> Value {
        json!({
            "cniVersion": "0.4.0", "name": "cairn", "type": "bridge", "bridge": self.bridge,
            "isGateway": true, "ipMasq": true, "hairpinMode": true,
            "ipam": {"type": "host-local", "dataDir": self.addresses, "ranges": [[{"subnet": self.subnet}]],
                     "routes": [{"dst": "0.0.0.0/0"}]},
        })
    }

    fn portmap_config(&self, ports: &[Port]) -> Value {
        let mappings: Vec<Value> = ports.iter().map(mapping).collect();
        json!({
            "cniVersion": "0.4.0", "name": "cairn", "type": "portmap", "snat": true,
            "capabilities": {"portMappings": true}, "runtimeConfig": {"portMappings": mappings},
        })
    }

    async fn call(
        &self,
        plugin: &'static str,
        verb: &str,
        of: Attachment<'_>,
        config: Value,
    ) -> Result<Value, NetworkError> {
        let mut command = Command::new(self.plugins.join(plugin));
        command.env_clear().env("PATH", PATH).env("CNI_COMMAND", verb).env("CNI_CONTAINERID", of.id);
        command.env("CNI_NETNS", of.netns).env("CNI_IFNAME", "eth0").env("CNI_PATH", &self.plugins);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let run = async {
            let mut child = command.spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(config.to_string().as_bytes()).await?;
            }
            child.wait_with_output().await
        };
        let output = tokio::time::timeout(LIMIT, run).await;
        let output = output.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let output = output.map_err(|source| NetworkError::Run { plugin, source })?;
        if !output.status.success() {
            return Err(NetworkError::Failed { plugin, text: said(&output.stdout, &output.stderr) });
        }
        Ok(serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
    }
}

fn mapping(port: &Port) -> Value {
    let protocol = match port.protocol {
        Protocol::TCP => "tcp",
        Protocol::UDP => "udp",
    };
    json!({"hostPort": port.host, "containerPort": port.container, "protocol": protocol})
}

/// A plugin tells its error as JSON on standard output: `{"code": 11, "msg": "…", "details": "…"}`.
fn said(out: &[u8], err: &[u8]) -> String {
    let told: Option<Value> = serde_json::from_slice(out).ok();
    let text = told.as_ref().and_then(|t| t["msg"].as_str()).map(str::to_owned);
    let text = text.unwrap_or_else(|| String::from_utf8_lossy(err).into_owned());
    text.trim().chars().take(500).collect()
}
