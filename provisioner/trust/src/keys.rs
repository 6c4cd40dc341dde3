//! The site's keys: made once at `cairn init`, read at each start, never leaving the data directory.
//!
//! | file in `keys/` | what | used for |
//! |---|---|---|
//! | `site-ca` | P-256 CA | server certificate for hosts and people; the hosts' 24 h certificates |
//! | `server` | P-256 | TLS of hosts and people |
//! | `boot-ca`, `boot` | RSA-3072 CA and key | TLS of firmware, which may know neither P-256 nor PSS (lab/https.md) |
//! | `signing` | ed25519 | manifests and plans |
//! | `pk`, `kek`, `db` | RSA-2048, self-signed | Secure Boot: enrolment, and Authenticode signatures of UKIs |
//! | `data` | AES-256, hexadecimal | values of Secrets in the database |
//!
//! Each other private key is a PKCS#8 PEM file of mode 0600 in a directory of mode 0700.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use cairn_contract::{Hex, Timestamp};
use cairn_store::DataKey;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding};
use rcgen::{
    CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
};
use rsa::{RsaPrivateKey, rand_core::OsRng};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject};
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// Why keys could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Keys exist already: making new ones would orphan every installed host.
    #[error("{0} exists already: this site has its keys")]
    Exists(PathBuf),
    /// What a file holds.
    #[error("{path} does not hold {what}")]
    Content {
        /// Which.
        path: PathBuf,
        /// What was expected.
        what: &'static str,
    },
    /// RSA key generation.
    #[error("cannot make an RSA key")]
    Rsa(#[source] rsa::Error),
    /// A certificate.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
}

/// A key and its certificate.
#[derive(Debug)]
pub struct Certified {
    /// Signs.
    pub key: KeyPair,
    /// DER.
    pub certificate: CertificateDer<'static>,
}

/// An RSA key for Authenticode with its certificate.
pub struct CodeSigner {
    /// Signs UKIs.
    pub key: RsaPrivateKey,
    /// DER.
    pub certificate: CertificateDer<'static>,
}

impl std::fmt::Debug for CodeSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CodeSigner(..)")
    }
}

/// All keys of a site.
#[derive(Debug)]
pub struct SiteKeys {
    /// CA for hosts and people.
    pub site_ca: Certified,
    /// TLS key for hosts and people.
    pub server: KeyPair,
    /// CA for firmware.
    pub boot_ca: Certified,
    /// TLS key for firmware.
    pub boot: KeyPair,
    /// Manifests and plans.
    pub signing: ed25519_dalek::SigningKey,
    /// Signs UKIs; its certificate goes into `db`.
    pub db: CodeSigner,
}

const SECURE_BOOT: [(&str, &str); 3] =
    [("pk", "platform key"), ("kek", "key exchange key"), ("db", "signature database key")];

impl SiteKeys {
    /// Makes all keys of a new site under `dir`. Takes seconds: five RSA keys are searched for, on two threads.
    pub fn create(dir: &Path, site: &str, now: Timestamp) -> Result<(), KeyError> {
        if dir.join("site-ca.key").exists() {
            return Err(KeyError::Exists(dir.to_owned()));
        }
        make_private_dir(dir)?;
        let rsa = make_rsa_keys(&[3072, 3072, 2048, 2048, 2048])?;
        let mut rsa = rsa.into_iter();
        let mut next = || rsa.next().expect("as many keys were made as are taken");
        let (boot_ca, boot) = (next(), next());
        for (file, role) in SECURE_BOOT {
            let key = next();
            let params = self_signed_params(&format!("{site} Secure Boot {role}"), now, Use::Code);
            write_certified(dir, file, &rsa_pair(&key)?, &params)?;
        }
        let params = self_signed_params(&format!("{site} boot CA"), now, Use::Ca);
        write_certified(dir, "boot-ca", &rsa_pair(&boot_ca)?, &params)?;
        write_private(&dir.join("boot.key"), rsa_pair(&boot)?.serialize_pem().as_bytes())?;
        let signing = ed25519_dalek::SigningKey::from_bytes(&random());
        let pem = signing.to_pkcs8_pem(LineEnding::LF).expect("an ed25519 key has a PKCS#8 form");
        write_private(&dir.join("signing.key"), pem.as_bytes())?;
        data_key(dir)?;
        let server = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        write_private(&dir.join("server.key"), Zeroizing::new(server.serialize_pem()).as_bytes())?;
        let ca = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        // Last: its presence says that the site has all its keys.
        write_certified(dir, "site-ca", &ca, &self_signed_params(&format!("{site} site CA"), now, Use::Ca))
    }

    /// Reads what [`SiteKeys::create`] made.
    pub fn load(dir: &Path) -> Result<Self, KeyError> {
        let signing_path = dir.join("signing.key");
        let db = dir.join("db.key");
        Ok(Self {
            site_ca: read_certified(dir, "site-ca")?,
            server: read_pair(&dir.join("server.key"))?,
            boot_ca: read_certified(dir, "boot-ca")?,
            boot: read_pair(&dir.join("boot.key"))?,
            signing: ed25519_dalek::SigningKey::from_pkcs8_pem(&read_text(&signing_path)?)
                .map_err(|_| KeyError::Content { path: signing_path, what: "an ed25519 key" })?,
            db: CodeSigner {
                key: <RsaPrivateKey as rsa::pkcs8::DecodePrivateKey>::from_pkcs8_pem(&read_text(&db)?)
                    .map_err(|_| KeyError::Content { path: db, what: "an RSA key" })?,
                certificate: read_certificate(&dir.join("db.crt"))?,
            },
        })
    }
}

impl SiteKeys {
    /// When the site was made, as its CA's certificate tells: the same at each start, so that what is composed from it is.
    pub fn created(&self) -> Timestamp {
        use x509_cert::{Certificate, der::Decode};
        let ends = Certificate::from_der(&self.site_ca.certificate)
            .map_or(0, |c| c.tbs_certificate().validity().not_after.to_unix_duration().as_secs());
        let ends = i64::try_from(ends).unwrap_or(i64::MAX);
        Timestamp(ends.saturating_sub(CA_DAYS * 86_400).max(0).saturating_mul(1000))
    }
}

/// Reads the data key of the site; makes it where there is none yet, as on a site of an older version.
pub fn data_key(dir: &Path) -> Result<DataKey, KeyError> {
    let path = dir.join("data.key");
    if !path.exists() {
        let part = dir.join("data.key.part");
        match fs::remove_file(&part) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(KeyError::File { path: part, source });
            }
            Ok(()) | Err(_) => {}
        }
        let text = Zeroizing::new(Hex(random().to_vec()).to_string());
        write_private(&part, text.as_bytes())?;
        let place = || fs::rename(&part, &path).and_then(|()| fs::File::open(dir)?.sync_all());
        place().map_err(|source| KeyError::File { path: path.clone(), source })?;
    }
    let text = read_text(&path)?;
    let bytes = text.trim().parse::<Hex>().ok().and_then(|hex| <[u8; 32]>::try_from(hex.0).ok());
    let bytes = bytes.ok_or(KeyError::Content { path, what: "64 hexadecimal digits" })?;
    Ok(DataKey::new(Zeroizing::new(bytes)))
}

/// 32 bytes from the operating system.
pub fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the kernel's random source is always there on Linux");
    bytes
}

/// Days that a CA lives.
const CA_DAYS: i64 = 30 * 365;

enum Use {
    Ca,
    Code,
}

fn self_signed_params(name: &str, now: Timestamp, of: Use) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = crate::ca::long_ago();
    params.not_after = moment(now) + time::Duration::days(CA_DAYS);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    if matches!(of, Use::Ca) {
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    }
    params
}

/// As a calendar moment; times outside `time`'s range become 1970.
pub(crate) fn moment(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn make_rsa_keys(bits: &[usize]) -> Result<Vec<RsaPrivateKey>, KeyError> {
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            bits.iter().map(|bits| scope.spawn(|| RsaPrivateKey::new(&mut OsRng, *bits))).collect();
        let join = |t: std::thread::ScopedJoinHandle<'_, _>| t.join().expect("key search does not panic");
        threads.into_iter().map(join).collect::<Result<_, _>>().map_err(KeyError::Rsa)
    })
}

fn rsa_pair(key: &RsaPrivateKey) -> Result<KeyPair, KeyError> {
    let der = rsa::pkcs8::EncodePrivateKey::to_pkcs8_der(key).expect("an RSA key has a PKCS#8 form");
    let der = PrivatePkcs8KeyDer::from(der.as_bytes());
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_RSA_SHA256)?)
}

fn write_certified(
    dir: &Path,
    name: &str,
    key: &KeyPair,
    params: &CertificateParams,
) -> Result<(), KeyError> {
    let certificate = params.self_signed(key)?;
    let path = dir.join(format!("{name}.crt"));
    fs::write(&path, certificate.pem()).map_err(|source| KeyError::File { path, source })?;
    write_private(&dir.join(format!("{name}.key")), Zeroizing::new(key.serialize_pem()).as_bytes())
}

/// Writes a secret file: mode 0600, durable, never over an existing one.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source| KeyError::File { path: path.to_owned(), source })
}

fn make_private_dir(dir: &Path) -> Result<(), KeyError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| KeyError::File { path: dir.to_owned(), source })
}

fn read_certified(dir: &Path, name: &str) -> Result<Certified, KeyError> {
    let key = read_pair(&dir.join(format!("{name}.key")))?;
    Ok(Certified { key, certificate: read_certificate(&dir.join(format!("{name}.crt")))? })
}

fn read_pair(path: &Path) -> Result<KeyPair, KeyError> {
    let content = |_| KeyError::Content { path: path.to_owned(), what: "a PKCS#8 private key" };
    KeyPair::from_pem(&read_text(path)?).map_err(content)
}

fn read_certificate(path: &Path) -> Result<CertificateDer<'static>, KeyError> {
    let content = |_| KeyError::Content { path: path.to_owned(), what: "a certificate" };
    CertificateDer::from_pem_slice(read_text(path)?.as_bytes()).map_err(content)
}

fn read_text(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let text = fs::read_to_string(path).map_err(|source| KeyError::File { path: path.to_owned(), source })?;
    Ok(Zeroizing::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_are_made_once_and_read_again() {
        let dir = std::env::temp_dir().join(format!("cairn-keys-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        SiteKeys::create(&dir, "test", Timestamp(1_790_000_000_000)).unwrap();
        let keys = SiteKeys::load(&dir).unwrap();
        assert_eq!(keys.site_ca.key.algorithm(), &PKCS_ECDSA_P256_SHA256);
        assert_eq!(keys.created(), Timestamp(1_790_000_000_000));
        let data = fs::read(dir.join("data.key")).unwrap();
        data_key(&dir).unwrap();
        assert_eq!(fs::read(dir.join("data.key")).unwrap(), data, "it is made once");
        fs::remove_file(dir.join("data.key")).unwrap();
        fs::write(dir.join("data.key.part"), "half").unwrap();
        data_key(&dir).unwrap();
        assert_ne!(fs::read(dir.join("data.key")).unwrap(), data, "where there is none, a new one is made");
        fs::write(dir.join("data.key"), "00").unwrap();
        assert!(matches!(data_key(&dir), Err(KeyError::Content { .. })));
        for entry in fs::read_dir(&dir).unwrap().map(Result::unwrap) {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert!(entry.path().extension().unwrap() == "crt" || mode == 0o600, "{entry:?} {mode:o}");
        }
        assert!(matches!(SiteKeys::create(&dir, "test", Timestamp(0)), Err(KeyError::Exists(_))));
        fs::remove_dir_all(&dir).unwrap();
    }
}
