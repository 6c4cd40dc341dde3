//! `[oidc]` of cairn.toml as written, and what `Provider::new` needs of it.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use openidconnect::url::{Host, Url};
use serde::Deserialize;

use crate::secret::Secret;

const LONGEST_ADDRESS: usize = 2048;
const LARGEST_SECRET: u64 = 4096;

/// `[oidc]`: where users log in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// The issuer identifier, exactly as the provider writes it; `https`, or `http` on loopback.
    pub issuer: String,
    /// What the provider calls us.
    pub client_id: String,
    /// Our secret there; none for a public client.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// A file that holds the secret instead.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// PEM certificates that are trusted besides the system's, for a provider with a CA of the site.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// What to ask for besides `openid`.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim that is the user name; by default `preferred_username`, else a verified `email`.
    /// A name that begins with `/` is a JSON pointer (RFC 6901).
    #[serde(default)]
    pub username_claim: Option<String>,
    /// The claim that has the groups; may be a JSON pointer, such as `/realm_access/roles`.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
}

fn scopes() -> Vec<String> {
    vec!["profile".to_owned(), "email".to_owned()]
}

fn groups_claim() -> String {
    "groups".to_owned()
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The issuer is not an address that may be used.
    #[error(
        "oidc.issuer {0:?} must be an https address without query, fragment or password (http only on loopback)"
    )]
    Issuer(String),
    /// A value is empty.
    #[error("oidc.{0} is empty")]
    Empty(&'static str),
    /// Two secrets.
    #[error("set either oidc.client_secret or oidc.client_secret_file, not both")]
    TwoSecrets,
    /// A file cannot be read.
    #[error("cannot read {path} of oidc.{field}")]
    Read {
        /// The field that names the file.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file has no certificate.
    #[error("{0} of oidc.ca_file holds no certificate in PEM form")]
    NoCertificate(PathBuf),
    /// There is nothing to check the issuer's certificate by.
    #[error("the system has no CA certificates; install ca-certificates or set oidc.ca_file")]
    NoRoots,
    /// TLS cannot be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
}

impl Oidc {
    /// The issuer's address, checked.
    pub(super) fn checked_issuer(&self) -> Result<Url, SetupError> {
        let refused = || SetupError::Issuer(self.issuer.chars().take(200).collect());
        let url = Url::parse(&self.issuer).map_err(|_| refused())?;
        let plain = url.query().is_none() && url.fragment().is_none() && url.password().is_none();
        let fits = self.issuer.len() <= LONGEST_ADDRESS && url.username().is_empty();
        if !(plain && fits && (url.scheme() == "https" || is_loopback_http(&url))) {
            return Err(refused());
        }
        if self.client_id.is_empty() {
            return Err(SetupError::Empty("client_id"));
        }
        if self.groups_claim.is_empty() || self.username_claim.as_deref() == Some("") {
            return Err(SetupError::Empty("groups_claim or oidc.username_claim"));
        }
        Ok(url)
    }

    /// The secret, from where it is.
    pub(super) fn secret(&self) -> Result<Option<Secret>, SetupError> {
        match (&self.client_secret, &self.client_secret_file) {
            (Some(_), Some(_)) => Err(SetupError::TwoSecrets),
            (Some(secret), None) if secret.expose().is_empty() => Err(SetupError::Empty("client_secret")),
            (Some(secret), None) => Ok(Some(secret.clone())),
            (None, Some(path)) => secret_file(path).map(Some),
            (None, None) => Ok(None),
        }
    }
}

fn secret_file(path: &Path) -> Result<Secret, SetupError> {
    let failed = |source| SetupError::Read { field: "client_secret_file", path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.len() > LARGEST_SECRET {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidData, "more than 4 KiB")));
    }
    let text = Secret::from(fs::read_to_string(path).map_err(failed)?);
    match text.expose().trim() {
        "" => Err(SetupError::Empty("client_secret_file")),
        secret => Ok(Secret::from(secret)),
    }
}

/// Plain HTTP is for development: nothing leaves the machine.
pub(super) fn is_loopback_http(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    };
    url.scheme() == "http" && loopback
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn oidc(issuer: &str) -> Oidc {
        toml::from_str(&format!("issuer = {issuer:?}\nclient_id = \"cairn\"\n")).unwrap()
    }

    #[test]
    fn the_short_form_is_enough_and_unknown_fields_are_refused() {
        let short = oidc("https://login.example.test");
        assert_eq!(
            (short.scopes.join(" ").as_str(), short.groups_claim.as_str()),
            ("profile email", "groups")
        );
        assert!(short.checked_issuer().is_ok() && short.secret().unwrap().is_none());
        let unknown: Result<Oidc, _> =
            toml::from_str("issuer = \"https://a\"\nclient_id = \"b\"\nclientsecret = \"c\"\n");
        assert!(unknown.unwrap_err().to_string().contains("clientsecret"));
    }

    #[test]
    fn the_issuer_is_https_or_on_loopback() {
        for good in [
            "https://a.test",
            "https://a.test/realms/x/",
            "http://127.0.0.1:80",
            "http://[::1]:8/",
            "http://localhost:1",
        ] {
            assert!(oidc(good).checked_issuer().is_ok(), "{good}");
        }
        let bad = [
            "http://a.test",
            "http://127.0.0.1.a.test",
            "ftp://127.0.0.1",
            "https://u:p@a.test",
            "https://u@a.test",
        ];
        for bad in bad.into_iter().chain([
            "https://a.test?x=1",
            "https://a.test#x",
            "https://",
            "a.test",
            "",
            "file:///etc",
        ]) {
            assert!(matches!(oidc(bad).checked_issuer(), Err(SetupError::Issuer(_))), "{bad}");
        }
    }

    #[test]
    fn the_secret_is_in_one_place_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, "s3cret\n").unwrap();
        let mut config = Oidc { client_secret_file: Some(file.clone()), ..oidc("https://a.test") };
        assert_eq!(config.secret().unwrap().unwrap().expose(), "s3cret");
        config.client_secret = Some(Secret::from("other"));
        assert!(matches!(config.secret(), Err(SetupError::TwoSecrets)));
        assert!(!format!("{config:?}").contains("other"));
        config.client_secret = None;
        fs::write(&file, " \n").unwrap();
        assert!(matches!(config.secret(), Err(SetupError::Empty(_))));
        fs::remove_file(&file).unwrap();
        assert!(matches!(config.secret(), Err(SetupError::Read { .. })));
    }

    proptest! {
        #[test]
        fn any_issuer_is_checked_or_refused(issuer: String) {
            let mut config = oidc("https://a.test");
            config.issuer = issuer;
            let _ = config.checked_issuer();
        }
    }
}
