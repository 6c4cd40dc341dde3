//! Certificates of one test cluster: an authority, what it signs, and kubeconfigs. The product makes its own elsewhere.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use serde_json::json;

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The library refused.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// It could not be written.
    #[error("cannot write a certificate")]
    Write(#[from] std::io::Error),
}

/// A certificate and its key, PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key, PKCS#8.
    pub key: String,
}

impl Identity {
    /// Writes `<name>.crt` and `<name>.key`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> Result<(), PkiError> {
        std::fs::write(folder.join(format!("{name}.crt")), &self.certificate)?;
        Ok(std::fs::write(folder.join(format!("{name}.key")), &self.key)?)
    }
}

/// The authority of one cluster.
#[derive(Debug)]
pub struct Pki {
    issuer: Issuer<'static, KeyPair>,
    authority: Identity,
}

impl Pki {
    /// A new authority.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new() -> Result<Self, PkiError> {
        let key = KeyPair::generate()?;
        let mut params = params("cairn-test-ca", "");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let certificate = params.self_signed(&key)?.pem();
        let authority = Identity { certificate, key: key.serialize_pem() };
        Ok(Self { issuer: Issuer::new(params, key), authority })
    }

    /// The authority's own certificate and key.
    #[must_use]
    pub fn authority(&self) -> &Identity {
        &self.authority
    }

    /// A client's identity: `user` in `group`.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn client(&self, user: &str, group: &str) -> Result<Identity, PkiError> {
        self.sign(params(user, group), ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// A server's identity for names and addresses.
    ///
    /// # Errors
    /// When a name is none, or it cannot be signed.
    pub fn server(&self, names: &[&str]) -> Result<Identity, PkiError> {
        let mut params = CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>())?;
        params.distinguished_name = subject("kube-apiserver", "");
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Identity, PkiError> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }

    /// A kubeconfig for `identity`, with everything in it.
    #[must_use]
    pub fn kubeconfig(&self, url: &str, identity: &Identity) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{ "name": "test", "cluster": {
                "server": url, "certificate-authority-data": STANDARD.encode(&self.authority.certificate),
            }}],
            "users": [{ "name": "test", "user": {
                "client-certificate-data": STANDARD.encode(&identity.certificate),
                "client-key-data": STANDARD.encode(&identity.key),
            }}],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
        })
        .to_string()
    }
}

/// rcgen keeps one value of a kind: nobody is in two groups here.
fn subject(user: &str, group: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if !group.is_empty() {
        name.push(DnType::OrganizationName, group);
    }
    name.push(DnType::CommonName, user);
    name
}

fn params(user: &str, group: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(user, group);
    params
}
