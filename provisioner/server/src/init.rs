//! `cairn init`: a site's keys, configuration, one-time code and local operator token. `cairn.toml` comes last: until it is
//! there, init was interrupted and can be run again.

use std::{
    fmt::Write as _,
    fs, io,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use cairn_cli::ClientFile;
use cairn_contract::{Hex, SERVER_NAME, Timestamp};
use cairn_trust::keys::{self, SiteKeys};
use rustls_pki_types::pem::PemObject as _;

use crate::{
    config, first_login,
    join::{self, Join},
    restore,
};

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
    /// Make no client.json: then only people and service tokens can do anything, not whoever reads the data folder
    #[arg(long)]
    no_local_token: bool,
    /// Make another provisioner of a site that is there: a backup's folder, or the other's data folder. Both need one PostgreSQL
    #[arg(
        long,
        value_name = "FOLDER",
        conflicts_with_all = ["site", "dhcp_interface", "default_image", "tpm_roots", "accept_virtual_tpm"]
    )]
    join: Option<PathBuf>,
}

/// Whether whoever reads the data folder may do everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LocalToken {
    /// By client.json.
    Yes,
    /// Only people and service tokens may.
    No,
}

/// Makes the site under `dir`.
pub(crate) fn run(dir: &Path, args: &Args, now: Timestamp) -> anyhow::Result<String> {
    let local_token = if args.no_local_token { LocalToken::No } else { LocalToken::Yes };
    if let Some(from) = &args.join {
        return join::run(dir, &Join { from, address: args.address, local_token });
    }
    restore::refuse_unfinished(dir)?;
    cairn_domain::name::check(&args.site).context("--site")?;
    let path = dir.join(config::FILE);
    if path.exists() {
        bail!("{} exists already: this site is initialised. Start it with: cairn serve", path.display());
    }
    let text = config_text(args)?;
    let parsed = toml::from_str::<config::Config>(&text);
    parsed.map_err(Into::into).and_then(|c| c.check()).context("these values make no valid configuration")?;
    let keys = make_keys(&dir.join("keys"), args, now)?;
    let url = first_login::url(args.address, 443);
    local_access(dir, &url, local_token)?;
    let login = first_login::command(dir, &url, now)?;
    write_config(&path, &text)?;
    let doubt = if args.tpm_roots.is_empty() {
        "\n\nNo --tpm-root was given: no machine can prove its TPM until `roots` in cairn.toml names its maker's CA."
    } else {
        ""
    };
    Ok(format!(
        "Site {} is ready in {1}.{keys}\n\nStart it with CAIRN_DATA={1} set, or --data {1}:\n  cairn serve\n\n\
         Then make the first administrator, here or elsewhere (once, within 24 hours):\n  {login}\n\n\
         Next:\n  cairn image add INSTALLER.cairn\n  cairn image add OS.cairn\n  \
         cairn host register NAME --serial SERIAL --image IMAGE\n\n\
         The console is at {url}; `cairn console` tells how to log in.{doubt}",
        args.site,
        dir.display(),
    ))
}

/// Makes the keys, or keeps those of a site whose cairn.toml was taken away: hosts may trust them. Gives a word on that.
fn make_keys(dir: &Path, args: &Args, now: Timestamp) -> anyhow::Result<String> {
    if dir.join("site-ca.key").exists() {
        SiteKeys::load(dir).with_context(|| format!("{} holds keys that cannot be read", dir.display()))?;
        return Ok(format!("\nIt keeps the keys that were in {}.", dir.display()));
    }
    // Without the CA's key nothing was ever signed with them.
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            return Err(e).with_context(|| format!("cannot remove the unfinished {}", dir.display()));
        }
        Ok(()) | Err(_) => {}
    }
    SiteKeys::create(dir, &args.site, now)?;
    Ok(String::new())
}

/// Makes the local operator token, or none.
pub(crate) fn local_access(dir: &Path, url: &str, local_token: LocalToken) -> anyhow::Result<()> {
    forget_local_token(dir)?;
    match local_token {
        LocalToken::Yes => make_local_token(dir, url),
        LocalToken::No => Ok(()),
    }
}

/// An earlier try may have left one.
fn forget_local_token(dir: &Path) -> anyhow::Result<()> {
    for name in [TOKEN_FILE, ClientFile::NAME] {
        match fs::remove_file(dir.join(name)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("cannot remove {name} of an earlier try"));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// The token of whoever may read the data folder: root on the machine, the lab.
fn make_local_token(dir: &Path, url: &str) -> anyhow::Result<()> {
    let token = Hex(keys::random().to_vec()).to_string();
    let hash = cairn_contract::Digest::of(token.as_bytes()).to_string();
    keys::write_private(&dir.join(TOKEN_FILE), hash.as_bytes())?;
    let ca = fs::read_to_string(dir.join("keys").join("site-ca.crt"))?;
    let client = ClientFile { url: url.to_owned(), ca, server_name: SERVER_NAME.into(), token };
    client.save(dir).context("cannot write the operator's client file")
}

/// Last, and whole or not at all: its presence says that init is done.
fn write_config(path: &Path, text: &str) -> anyhow::Result<()> {
    let part = path.with_extension("toml.part");
    let write = || {
        fs::write(&part, text)?;
        fs::File::open(&part)?.sync_all()?;
        fs::rename(&part, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// SHA-256 of the local operator token; `None` when init made none.
pub(crate) fn local_token(dir: &Path) -> anyhow::Result<Option<[u8; 32]>> {
    match fs::read_to_string(dir.join(TOKEN_FILE)) {
        Ok(text) => Ok(Some(text.trim().parse::<cairn_contract::Digest>().context(TOKEN_FILE)?.0)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).context(TOKEN_FILE),
    }
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(more: &[&str]) -> Args {
        let words = ["init", "--site", "shop", "--address", "192.0.2.1"];
        Line::parse_from(words.iter().chain(more)).args
    }

    /// Keys take seconds, so this is one story.
    #[test]
    fn init_that_was_interrupted_can_be_run_again_and_a_whole_site_cannot() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        fs::create_dir(dir.join("keys")).unwrap();
        for (name, text) in
            [("keys/pk.key", "half a ke"), (TOKEN_FILE, "old"), ("cairn.toml.part", "site = ")]
        {
            fs::write(dir.join(name), text).unwrap();
        }
        let said = run(dir, &args(&[]), Timestamp(1_790_000_000_000)).unwrap();
        let login = said.lines().find(|l| l.contains("cairn login")).unwrap().trim();
        assert!(login.starts_with("cairn login https://192.0.2.1 --code "), "{login}");
        assert_eq!(login.rsplit(' ').next().unwrap().len(), 64, "{login}");
        let client = ClientFile::load(dir).unwrap();
        let hash = cairn_contract::Digest::of(client.token.as_bytes());
        assert_eq!(local_token(dir).unwrap(), Some(hash.0));
        assert!(run(dir, &args(&[]), Timestamp(0)).unwrap_err().to_string().contains("exists already"));

        let ca = fs::read(dir.join("keys/site-ca.crt")).unwrap();
        fs::remove_file(dir.join(config::FILE)).unwrap();
        let said = run(dir, &args(&["--no-local-token"]), Timestamp(1_790_000_001_000)).unwrap();
        assert!(said.contains("keeps the keys"), "{said}");
        assert_eq!(fs::read(dir.join("keys/site-ca.crt")).unwrap(), ca, "hosts may trust it");
        assert_eq!(local_token(dir).unwrap(), None);
        assert!(!dir.join(ClientFile::NAME).exists());
        let config = config::Config::load(dir).unwrap();
        assert_eq!((config.site.as_str(), config.oidc.is_none()), ("shop", true));
    }
}
