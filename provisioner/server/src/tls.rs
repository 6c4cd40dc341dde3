//! The four TLS configurations of the one port, from the site's keys.

use std::{net::IpAddr, sync::Arc};

use anyhow::Context;
use cairn_contract::{ALPN_HOST, Timestamp};
use cairn_netboot::tls::{Dhe, firmware_config};
use cairn_trust::{SiteKeys, ca};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
    version::TLS13,
};

use crate::port::Configs;

/// Issues the server certificates anew and builds all configurations.
pub(crate) fn configs(keys: &SiteKeys, address: IpAddr, now: Timestamp) -> anyhow::Result<Configs> {
    let chain = ca::issue_server(&keys.site_ca, &keys.server, &[], address, now)?;
    let boot_chain = ca::issue_server(&keys.boot_ca, &keys.boot, &[], address, now)?;
    let firmware = |dhe| firmware_config(boot_chain.clone(), private(&keys.boot), dhe);
    let mut roots = RootCertStore::empty();
    roots.add(keys.site_ca.certificate.clone())?;
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).allow_unauthenticated().build()?;
    // 1.3 only: evidence is bound to the connection by its exporter (RFC 9266).
    let host = ServerConfig::builder_with_protocol_versions(&[&TLS13]).with_client_cert_verifier(verifier);
    let mut host = host.with_single_cert(chain.clone(), private(&keys.server)).context("host side")?;
    host.alpn_protocols = vec![ALPN_HOST.to_vec()];
    let people = ServerConfig::builder().with_no_client_auth();
    let mut people = people.with_single_cert(chain, private(&keys.server)).context("people's side")?;
    people.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Configs {
        firmware: Arc::new(firmware(Dhe::Without)?),
        firmware_without_curves: Arc::new(firmware(Dhe::Only)?),
        host: Arc::new(host),
        people: Arc::new(people),
    })
}

fn private(key: &rcgen::KeyPair) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der()).into()
}
