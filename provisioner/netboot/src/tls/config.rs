//! The TLS configuration for boot clients (netboot.md rule 35): an RSA certificate, ECDHE over P-256 with AES-GCM, and a
//! second configuration with DHE alone for firmware that has no elliptic curves.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, default_provider, kx_group};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::version::{TLS12, TLS13};
use rustls::{SignatureAlgorithm, SupportedProtocolVersion};

use super::ffdhe;

/// Which key exchange a configuration offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dhe {
    /// ECDHE only: for all clients that have curves.
    Without,
    /// DHE only, TLS 1.2: for clients without. What it costs is bounded by [`super::DheGate`].
    Only,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The key cannot be used.
    #[error("the boot listener's private key cannot be used")]
    Key(#[source] rustls::Error),
    /// The key is not RSA: most firmware verifies nothing else.
    #[error("the boot listener needs an RSA key, not {0:?}")]
    NotRsa(SignatureAlgorithm),
    /// The certificate does not fit the key, or the provider lacks something.
    #[error("the boot listener's TLS configuration is not consistent")]
    Config(#[source] rustls::Error),
}

/// The configuration for boot clients. `chain` is the leaf and then its root: iPXE wants the root in the chain.
///
/// Tickets and session storage are off: firmware does not resume, and iPXE 1.21.1 must not be asked for
/// extended master secret.
///
/// # Errors
/// [`ConfigError`].
pub fn firmware_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    dhe: Dhe,
) -> Result<ServerConfig, ConfigError> {
    let provider = provider(dhe);
    let algorithm =
        provider.key_provider.load_private_key(key.clone_key()).map_err(ConfigError::Key)?.algorithm();
    if algorithm != SignatureAlgorithm::RSA {
        return Err(ConfigError::NotRsa(algorithm));
    }
    let versions: &[&SupportedProtocolVersion] = match dhe {
        Dhe::Without => &[&TLS13, &TLS12],
        Dhe::Only => &[&TLS12],
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .map_err(ConfigError::Config)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(ConfigError::Config)?;
    config.ignore_client_order = true;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

fn provider(dhe: Dhe) -> CryptoProvider {
    let (cipher_suites, kx_groups) = match dhe {
        Dhe::Without => (
            vec![
                cipher_suite::TLS13_AES_256_GCM_SHA384,
                cipher_suite::TLS13_AES_128_GCM_SHA256,
                cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            ],
            vec![kx_group::SECP256R1, kx_group::SECP384R1],
        ),
        Dhe::Only => (ffdhe::SUITES.to_vec(), vec![ffdhe::GROUP]),
    };
    CryptoProvider { cipher_suites, kx_groups, ..default_provider() }
}
