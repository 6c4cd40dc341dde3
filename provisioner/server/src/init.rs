//! `cairn init`: a site's keys, configuration and operator token, once.

use std::{
    fmt::Write as _,
    fs,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use cairn_cli::ClientFile;
use cairn_contract::{Hex, SERVER_NAME, Timestamp};
use cairn_trust::keys::{self, SiteKeys};
use rustls_pki_types::pem::PemObject as _;

use crate::config;

/// File with the SHA-256 of the operator token.
pub(crate) const TOKEN_FILE: &str = "operator-token.sha256";

/// What `cairn init` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the site: a-z, 0-9 and '-'
    #[arg(long, default_value = "site")]
    site: String,
    /// Address of this machine, as hosts reach it
    #[arg(long)]
    address: Ipv4Addr,
    /// Serve DHCP on this interface, and only there (without it, DHCP is never answered)
    #[arg(long, requires_all = ["dhcp_subnet", "dhcp_pool"])]
    dhcp_interface: Option<String>,
    /// Its network, such as 10.77.0.0/24
    #[arg(long)]
    dhcp_subnet: Option<String>,
    /// Its pool, such as 10.77.0.100-10.77.0.199
    #[arg(long)]
    dhcp_pool: Option<String>,
    /// Image of hosts that name none
    #[arg(long)]
    default_image: Option<String>,
    /// PEM file with roots (and intermediates) of TPM makers; may be given again
    #[arg(long = "tpm-root")]
    tpm_roots: Vec<PathBuf>,
    /// Accept virtual TPMs too (a lab)
    #[arg(long)]
    accept_virtual_tpm: bool,
}

/// Makes the site under `dir`.
pub(crate) fn run(dir: &Path, args: &Args, now: Timestamp) -> anyhow::Result<String> {
    cairn_domain::name::check(&args.site).context("--site")?;
    let path = dir.join(config::FILE);
    if path.exists() {
        bail!("{} exists already: this site is initialised. Start it with: cairn serve", path.display());
    }
    let text = config_text(args)?;
    let parsed = toml::from_str::<config::Config>(&text);
    parsed.map_err(Into::into).and_then(|c| c.check()).context("these values make no valid configuration")?;
    let key_dir = dir.join("keys");
    SiteKeys::create(&key_dir, &args.site, now)?;
    let token = Hex(keys::random().to_vec()).to_string();
    keys::write_private(
        &dir.join(TOKEN_FILE),
        cairn_contract::Digest::of(token.as_bytes()).to_string().as_bytes(),
    )?;
    let ca = fs::read_to_string(key_dir.join("site-ca.crt"))?;
    let url = format!("https://{}", args.address);
    ClientFile { url: url.clone(), ca, server_name: SERVER_NAME.into(), token }
        .save(dir)
        .context("cannot write the operator's client file")?;
    // Last: its presence says that init is done.
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    let doubt = if args.tpm_roots.is_empty() {
        "\n\nNo --tpm-root was given: no machine can prove its TPM until `roots` in cairn.toml names its maker's CA."
    } else {
        ""
    };
    Ok(format!(
        "Site {} is ready in {1}.\n\nNext, with CAIRN_DATA={1} set, or --data {1}:\n  cairn serve\n  \
         cairn image add INSTALLER.cairn\n  cairn image add OS.cairn\n  \
         cairn host register NAME --serial SERIAL --image IMAGE\n\n\
         The console is at {url}; `cairn console` tells how to log in.{doubt}",
        args.site,
        dir.display(),
    ))
}

fn config_text(args: &Args) -> anyhow::Result<String> {
    let mut text = format!(
        "# Cairn's configuration. Restart `cairn serve` after a change.\nsite = {:?}\naddress = \"{}\"\n",
        args.site, args.address
    );
    if let Some(image) = &args.default_image {
        writeln!(text, "default_image = {image:?}")?;
    }
    if let (Some(interface), Some(subnet), Some(pool)) =
        (&args.dhcp_interface, &args.dhcp_subnet, &args.dhcp_pool)
    {
        let (first, last) =
            pool.split_once('-').context("--dhcp-pool: two addresses, such as 10.77.0.100-10.77.0.199")?;
        let (first, last): (IpAddr, IpAddr) = (first.trim().parse()?, last.trim().parse()?);
        writeln!(
            text,
            "\n# DHCP is answered on this interface only.\n[dhcp]\ninterface = {interface:?}\nsubnet = {subnet:?}\npool = [\"{first}\", \"{last}\"]"
        )?;
    }
    let whole = |path: &PathBuf| {
        fs::canonicalize(path).with_context(|| format!("--tpm-root: cannot read {}", path.display()))
    };
    let roots: Vec<PathBuf> = args.tpm_roots.iter().map(whole).collect::<Result<_, _>>()?;
    for root in &roots {
        let pem = fs::read(root)?;
        if rustls_pki_types::CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).next().is_none() {
            bail!("--tpm-root: {} holds no certificate in PEM form", root.display());
        }
    }
    writeln!(
        text,
        "\n[attestation]\n# PEM files of the TPM makers' roots and intermediates.\nroots = {roots:?}"
    )?;
    if args.accept_virtual_tpm {
        writeln!(text, "\n[policy]\ntpm_classes = [\"discrete\", \"firmware\", \"virtual\"]")?;
    }
    Ok(text)
}
