//! The command line for the first login: address, one-time code, fingerprint of the CA. For `init` and `admin code`.

use std::{fs, path::Path};

use anyhow::Context;
use cairn_contract::{Digest, Timestamp};
use cairn_operator::CodeFile;
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

/// Makes a one-time code and gives the command that uses it.
pub(crate) fn command(data: &Path, url: &str, now: Timestamp) -> anyhow::Result<String> {
    let path = data.join("keys").join("site-ca.crt");
    let pem = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let ca = CertificateDer::from_pem_slice(&pem)
        .with_context(|| format!("{} holds no certificate", path.display()))?;
    let code = CodeFile::issue(data, now)?;
    Ok(format!("cairn login {url} --code {} --ca-sha256 {}", code.expose(), Digest::of(&ca)))
}

/// How people reach the server.
pub(crate) fn url(address: std::net::Ipv4Addr, tls: u16) -> String {
    match tls {
        443 => format!("https://{address}"),
        port => format!("https://{address}:{port}"),
    }
}
