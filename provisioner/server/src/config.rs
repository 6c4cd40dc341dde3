//! The configuration file `cairn.toml`: raw text to checked values. Unknown keys are refused.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use cairn_domain::{Policy, policies::Defaults};
use cairn_identity::oidc::Oidc;
use cairn_operator::{AuditLimits, SessionLimits};
use cairn_store::{Database, OpenError, Store};
use serde::Deserialize;

/// File name in the data directory.
pub(crate) const FILE: &str = "cairn.toml";

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the site.
    pub(crate) site: String,
    /// This machine, as hosts reach it.
    pub(crate) address: Ipv4Addr,
    /// Image of hosts that name none.
    #[serde(default)]
    pub(crate) default_image: Option<String>,
    #[serde(default)]
    pub(crate) listen: Listen,
    /// Absent: no DHCP is ever answered.
    #[serde(default)]
    pub(crate) dhcp: Option<Dhcp>,
    #[serde(default)]
    pub(crate) attestation: Attestation,
    #[serde(default)]
    pub(crate) policy: Policy,
    /// `postgres://USER@HOST/NAME`; absent: SQLite in the data directory. Several provisioners may share a PostgreSQL.
    #[serde(default, deserialize_with = "database")]
    pub(crate) database: Database,
    /// A folder that all provisioners of the site mount, for images and installers; absent: `blobs` in the data directory.
    #[serde(default)]
    pub(crate) blobs: Option<PathBuf>,
    /// How long people stay logged in.
    #[serde(default)]
    pub(crate) sessions: SessionLimits,
    /// Where people of an organisation log in; absent: local users and service tokens only.
    #[serde(default)]
    pub(crate) oidc: Option<Oidc>,
    #[serde(default)]
    pub(crate) audit: AuditLimits,
    /// Programs that render packages.
    #[serde(default)]
    pub(crate) tools: ToolPaths,
}

/// Programs of this machine; absent: looked for in `PATH`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ToolPaths {
    /// Helm 3.8 or newer.
    pub(crate) helm: Option<PathBuf>,
    /// `kustomize`, or `kubectl`.
    pub(crate) kustomize: Option<PathBuf>,
}

/// Its `Debug` hides the address, which may hold a password.
fn database<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Database, D::Error> {
    let url = String::deserialize(value)?;
    match database_of(&url) {
        Ok(database @ Database::Postgres(_)) => Ok(database),
        Ok(Database::Sqlite) | Err(_) => {
            Err(serde::de::Error::custom("database: write postgres://USER@HOST/NAME"))
        }
    }
}

/// `sqlite` or `postgres://USER@HOST/NAME`, as the command line has it.
pub(crate) fn database_of(text: &str) -> Result<Database, String> {
    match text.split_once("://") {
        Some(("postgres" | "postgresql", _)) => Ok(Database::Postgres(text.to_owned())),
        None if text == "sqlite" => Ok(Database::Sqlite),
        Some(_) | None => Err("write sqlite, or postgres://USER@HOST/NAME".to_owned()),
    }
}

/// The setting `database` as TOML; `None` when there is none.
pub(crate) fn quoted(database: &Database) -> Option<String> {
    match database {
        Database::Sqlite => None,
        Database::Postgres(url) => Some(toml::Value::String(url.clone()).to_string()),
    }
}

/// Reads and checks the file's text.
pub(crate) fn read(text: &str) -> anyhow::Result<Config> {
    let config: Config = toml::from_str(text)?;
    config.check()?;
    Ok(config)
}

/// Ports; 0 switches a service off, but for TLS.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Listen {
    pub(crate) address: IpAddr,
    pub(crate) tls: u16,
    pub(crate) http: u16,
    pub(crate) tftp: u16,
    /// What HTTP boot firmware is told to use.
    pub(crate) boot: BootScheme,
}

impl Default for Listen {
    fn default() -> Self {
        Self { address: Ipv4Addr::UNSPECIFIED.into(), tls: 443, http: 80, tftp: 69, boot: BootScheme::Http }
    }
}

/// How UEFI HTTP boot loads the installer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BootScheme {
    /// Works without anything enrolled; integrity comes from Secure Boot and attestation.
    Http,
    /// The firmware must know the site's boot CA.
    Https,
}

/// The one network that is served.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dhcp {
    pub(crate) interface: String,
    /// `10.77.0.0/24`.
    pub(crate) subnet: String,
    /// First and last address of the pool.
    pub(crate) pool: [Ipv4Addr; 2],
    #[serde(default)]
    pub(crate) router: Option<Ipv4Addr>,
    #[serde(default)]
    pub(crate) dns: Vec<Ipv4Addr>,
    #[serde(default)]
    pub(crate) reservations: Vec<Reservation>,
}

/// One fixed address.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reservation {
    pub(crate) mac: cairn_contract::Mac,
    pub(crate) address: Ipv4Addr,
}

/// Whose TPMs are believed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Attestation {
    /// PEM files of endorsement roots and intermediates.
    pub(crate) roots: Vec<PathBuf>,
}

impl Config {
    /// What applies where no policy says otherwise.
    pub(crate) fn defaults(&self) -> Defaults {
        Defaults { policy: self.policy.clone(), image: self.default_image.clone() }
    }

    /// Reads and checks `DIR/cairn.toml`.
    pub(crate) fn load(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(FILE);
        crate::restore::refuse_unfinished(dir)?;
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}: has `cairn init` been run there?", path.display()))?;
        read(&text).with_context(|| format!("{} is not valid", path.display()))
    }

    /// Opens the site's store in `dir`.
    pub(crate) async fn open(&self, dir: &Path) -> Result<Store, OpenError> {
        match &self.blobs {
            Some(blobs) => Store::open_sharing(dir, blobs, self.database.clone()).await,
            None => Store::open_with(dir, self.database.clone()).await,
        }
    }

    /// Files elsewhere that it names.
    pub(crate) fn named_files(&self) -> Vec<&Path> {
        let oidc = self.oidc.iter().flat_map(|oidc| [&oidc.client_secret_file, &oidc.ca_file]);
        let all = self.attestation.roots.iter().chain(oidc.flatten());
        all.map(PathBuf::as_path).collect()
    }

    pub(crate) fn check(&self) -> anyhow::Result<()> {
        cairn_domain::name::check(&self.site).context("site: like a host name")?;
        ensure!(self.listen.tls != 0, "listen.tls: the TLS port cannot be switched off");
        ensure!(!self.address.is_unspecified(), "address: the address of this machine, as hosts reach it");
        let (life, idle) = (self.sessions.life_s, self.sessions.idle_s);
        ensure!(life >= 60 && idle >= 60, "sessions: life_s and idle_s are at least 60 seconds");
        let shared = matches!(self.database, Database::Postgres(_)) || self.blobs.is_none();
        ensure!(shared, "blobs: a shared folder serves several provisioners, and those need `database` too");
        ensure!(self.audit.keep_days > 0, "audit.keep_days: at least 1");
        if self.listen.boot == BootScheme::Http && self.listen.http == 0 {
            bail!("listen.boot is http, but listen.http is 0");
        }
        if let Some(dhcp) = &self.dhcp {
            let (net, bits) = dhcp.net()?;
            let inside = |ip: Ipv4Addr| u32::from(ip) & mask(bits) == u32::from(net);
            ensure!(dhcp.pool[0] <= dhcp.pool[1], "dhcp.pool: the first address is after the last");
            ensure!(dhcp.pool.iter().all(|ip| inside(*ip)), "dhcp.pool: outside {}", dhcp.subnet);
            ensure!(inside(self.address), "dhcp.subnet: {} is not in it", self.address);
        }
        Ok(())
    }
}

impl Dhcp {
    /// Network address and prefix length.
    pub(crate) fn net(&self) -> anyhow::Result<(Ipv4Addr, u8)> {
        let wrong = || format!("dhcp.subnet: {} is not like 10.77.0.0/24", self.subnet);
        let (net, bits) = self.subnet.split_once('/').with_context(wrong)?;
        let (net, bits): (Ipv4Addr, u8) =
            (net.parse().with_context(wrong)?, bits.parse().with_context(wrong)?);
        ensure!((8..=30).contains(&bits) && u32::from(net) & !mask(bits) == 0, wrong());
        Ok((net, bits))
    }
}

/// Netmask of a prefix length from 8 to 30.
pub(crate) fn mask(bits: u8) -> u32 {
    u32::MAX << (32 - u32::from(bits.clamp(8, 30)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> anyhow::Result<()> {
        toml::from_str::<Config>(text)?.check()
    }

    #[test]
    fn the_least_configuration_serves_no_dhcp() {
        let config: Config = toml::from_str("site='a'\naddress='10.0.0.1'").unwrap();
        assert!(config.check().is_ok() && config.dhcp.is_none());
    }

    #[test]
    fn sessions_logins_and_the_audit_log_have_their_own_tables() {
        let config: Config = toml::from_str("site='a'\naddress='10.0.0.1'").unwrap();
        assert_eq!(
            (config.sessions.life_s, config.sessions.idle_s, config.audit.keep_days),
            (43_200, 3600, 400)
        );
        let text = "site='a'\naddress='10.0.0.1'\n[sessions]\nidle_s=600\n[audit]\nkeep_days=30\n\
                    [oidc]\nissuer='https://login.example'\nclient_id='cairn'\nclient_secret='hush'";
        let config: Config = toml::from_str(text).unwrap();
        assert!(config.check().is_ok());
        assert_eq!(
            (config.sessions.life_s, config.sessions.idle_s, config.audit.keep_days),
            (43_200, 600, 30)
        );
        assert!(!format!("{config:?}").contains("hush"));
        for bad in
            ["[sessions]\nidle_s=1", "[sessions]\nlife=1", "[audit]\nkeep_days=0", "[oidc]\nissuer='x'"]
        {
            assert!(parse(&format!("site='a'\naddress='10.0.0.1'\n{bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn wrong_values_are_refused() {
        let dhcp = |subnet: &str, pool: &str| {
            format!("site='a'\naddress='10.0.0.1'\n[dhcp]\ninterface='e'\nsubnet='{subnet}'\npool={pool}")
        };
        assert!(parse(&dhcp("10.0.0.0/24", "['10.0.0.10','10.0.0.20']")).is_ok());
        for bad in [
            dhcp("10.0.0.0/24", "['10.0.0.20','10.0.0.10']"),
            dhcp("10.0.0.0/24", "['10.0.1.10','10.0.1.20']"),
            dhcp("10.0.1.0/24", "['10.0.1.10','10.0.1.20']"),
            dhcp("10.0.0.1/24", "['10.0.0.10','10.0.0.20']"),
            "site='a'\naddress='10.0.0.1'\ncolour=1".into(),
            "site='A b'\naddress='10.0.0.1'".into(),
        ] {
            assert!(parse(&bad).is_err(), "{bad}");
        }
    }
}
