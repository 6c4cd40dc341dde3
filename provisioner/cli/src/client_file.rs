//! `client.json`: how a person's commands find and trust the server, and the token that lets them in. Mode 0600.

use std::{
    fmt, fs, io,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Written by `cairn init`, read by each command.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct ClientFile {
    /// `https://ADDRESS:PORT`, without a path.
    pub url: String,
    /// The site's CA, PEM: the only one that is trusted.
    pub ca: String,
    /// DNS name in the server's certificate.
    pub server_name: String,
    /// Operator token.
    pub token: String,
}

impl fmt::Debug for ClientFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientFile")
            .field("url", &self.url)
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// Why `client.json` could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientFileError {
    /// There is none.
    #[error("there is no {}", .0.display())]
    Missing(PathBuf),
    /// It cannot be read or written.
    #[error("cannot use {}", .path.display())]
    Io {
        /// Its path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{} is not a client file", .path.display())]
    Content {
        /// Its path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
}

impl ClientFile {
    /// Its name in the data folder.
    pub const NAME: &str = "client.json";

    /// Reads it from a data folder.
    pub fn load(data: &Path) -> Result<Self, ClientFileError> {
        let path = data.join(Self::NAME);
        let bytes = match fs::read(&path) {
            Ok(bytes) => zeroize::Zeroizing::new(bytes),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(ClientFileError::Missing(path)),
            Err(source) => return Err(ClientFileError::Io { path, source }),
        };
        serde_json::from_slice(&bytes).map_err(|source| ClientFileError::Content { path, source })
    }

    /// Writes it into a data folder with mode 0600: whole, or not at all.
    pub fn save(&self, data: &Path) -> Result<(), ClientFileError> {
        let path = data.join(Self::NAME);
        let part = data.join("client.json.part");
        let content = |source| ClientFileError::Content { path: path.clone(), source };
        let bytes = zeroize::Zeroizing::new(serde_json::to_vec_pretty(self).map_err(content)?);
        let write = || {
            match fs::remove_file(&part) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&part, &path)
        };
        write().map_err(|source| ClientFileError::Io { path: path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_saved_loads_and_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = ClientFile {
            url: "https://10.0.0.1:8443".into(),
            ca: "PEM".into(),
            server_name: "x".into(),
            token: "secret".into(),
        };
        file.save(dir.path()).unwrap();
        file.save(dir.path()).unwrap();
        assert_eq!(ClientFile::load(dir.path()).unwrap(), file);
        let mode = fs::metadata(dir.path().join(ClientFile::NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{file:?}").contains("secret"));
    }

    #[test]
    fn a_missing_file_says_so() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(ClientFile::load(dir.path()), Err(ClientFileError::Missing(_))));
    }
}
