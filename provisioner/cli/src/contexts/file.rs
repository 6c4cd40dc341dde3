//! `config.yaml`: the contexts of one person. Mode 0600, as it holds tokens.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// Bytes of the file.
const MAX_BYTES: u64 = 4 << 20;

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the context in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// All, in the order of their names.
    pub(crate) contexts: Vec<Saved>,
}

/// One context: a server, who one is there, and where one works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Saved {
    pub(crate) name: String,
    /// `https://ADDRESS[:PORT]`
    pub(crate) url: String,
    /// The only certificate authority that is trusted, PEM.
    pub(crate) ca: String,
    /// Name in the server's certificate; absent: the url's host or Cairn's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) server_name: Option<String>,
    /// Where one works when no `-n` says otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) namespace: String,
    /// Who logged in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) user: String,
    /// RFC 3339
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) expires: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Secret>,
}

/// Why `config.yaml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// It cannot be read or written.
    #[error("cannot use {}", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{}: {what}", .path.display())]
    Content { path: PathBuf, what: String },
    /// Others may read the tokens in it.
    #[error("{} holds a token and others may read it (mode {mode:o})", .path.display())]
    Open { path: PathBuf, mode: u32 },
}

impl Config {
    /// Reads the file; an absent one is an empty one.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::Io { path: path.to_owned(), source };
        let metadata = match fs::metadata(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            found => found.map_err(failed)?,
        };
        let content = |what: String| ConfigError::Content { path: path.to_owned(), what };
        if metadata.len() > MAX_BYTES {
            return Err(content("it is too large".into()));
        }
        let text = zeroize::Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let config: Self = serde_saphyr::from_str(&text).map_err(|e| {
            let line = e.location().map_or(0, |l| l.line());
            let what = e.without_snippet().to_string();
            content(format!("line {line}: {}", cairn_domain::fact::plain(&what, 300)))
        })?;
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 && config.contexts.iter().any(|c| c.token.is_some()) {
            return Err(ConfigError::Open { path: path.to_owned(), mode });
        }
        Ok(config)
    }

    /// Writes the file with mode 0600, whole or not at all; makes its folder.
    pub(crate) fn save(&self, path: &Path) -> Result<(), ConfigError> {
        let failed = |source| ConfigError::Io { path: path.to_owned(), source };
        let text = serde_saphyr::to_string(self)
            .map_err(|e| ConfigError::Content { path: path.to_owned(), what: e.to_string() })?;
        let text = zeroize::Zeroizing::new(text);
        let part = path.with_extension("yaml.part");
        let write = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            match fs::remove_file(&part) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&part, path)
        };
        write().map_err(failed)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Saved> {
        self.contexts.iter().find(|c| c.name == name)
    }

    pub(crate) fn find_mut(&mut self, name: &str) -> Option<&mut Saved> {
        self.contexts.iter_mut().find(|c| c.name == name)
    }

    /// Adds it or replaces the one of its name, and uses it.
    pub(crate) fn put(&mut self, saved: Saved) {
        self.current = Some(saved.name.clone());
        self.contexts.retain(|c| c.name != saved.name);
        self.contexts.push(saved);
        self.contexts.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn saved(name: &str, token: Option<&str>) -> Saved {
        Saved {
            name: name.into(),
            url: "https://10.0.0.1".into(),
            ca: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into(),
            server_name: None,
            namespace: "retail.acme".into(),
            user: "0755".into(),
            expires: String::new(),
            token: token.map(Secret::new),
        }
    }

    #[test]
    fn what_is_saved_loads_and_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/config.yaml");
        assert_eq!(Config::load(&path).unwrap(), Config::default());
        let mut config = Config::default();
        config.put(saved("b", Some("secret: 'x' #")));
        config.put(saved("a", None));
        config.save(&path).unwrap();
        config.save(&path).unwrap();
        assert_eq!(Config::load(&path).unwrap(), config);
        assert_eq!(config.current.as_deref(), Some("a"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!format!("{config:?}").contains("secret:"));
    }

    #[test]
    fn a_token_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.yaml");
        let mut config = Config::default();
        config.put(saved("a", None));
        config.save(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Config::load(&path).is_ok());
        config.put(saved("a", Some("t")));
        config.save(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Config::load(&path), Err(ConfigError::Open { mode: 0o640, .. })));
    }

    #[test]
    fn a_misspelt_member_is_told_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.yaml");
        fs::write(&path, "contexts:\n- name: a\n  uri: x\n").unwrap();
        let error = Config::load(&path).unwrap_err().to_string();
        assert!(error.contains("line ") && error.contains("uri"), "{error}");
    }
}
