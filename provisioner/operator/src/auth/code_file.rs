//! The file in which `cairn init` and `cairn admin code` leave a one-time code's hash for the server, running or not.
//!
//! That a code is used once is not this file's affair but the database's: a copy of the data folder brings no code back.

use std::{
    fs, io,
    io::{Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use cairn_contract::Timestamp;
use cairn_identity::{IssuedCode, NoRandomness, OneTimeCode, Secret, SecretHash};
use serde::{Deserialize, Serialize};

/// Seconds that a code is good for.
const LIFETIME: u32 = 24 * 3600;
/// Bytes of the file that are read.
const LARGEST: u64 = 4096;

/// The one-time code of a data folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeFile {
    /// Of the code, 64 hexadecimal digits.
    sha256: String,
    /// When it was made.
    pub made: Timestamp,
    /// From then on it is void.
    pub expires: Timestamp,
}

/// Why a code was not made or read.
#[derive(Debug, thiserror::Error)]
pub enum CodeFileError {
    /// The file.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody else wrote it.
    #[error("{0} does not hold a one-time code; make a new one: cairn admin code")]
    Content(PathBuf),
    /// The system's fault.
    #[error("cannot make a one-time code")]
    Random(#[from] NoRandomness),
}

impl CodeFile {
    /// Its name in the data folder.
    pub const NAME: &str = "one-time-code.json";

    /// Makes a code that is good for a day, in the place of an earlier one; gives it as it is shown, once.
    ///
    /// # Errors
    /// When the file cannot be written or there are no random numbers.
    pub fn issue(data: &Path, now: Timestamp) -> Result<Secret, CodeFileError> {
        let code = OneTimeCode::random()?;
        let file = Self { sha256: code.hash().to_hex(), made: now, expires: now.after_seconds(LIFETIME) };
        let path = data.join(Self::NAME);
        let failed = |source| CodeFileError::File { path: path.clone(), source };
        let bytes = serde_json::to_vec(&file).map_err(|e| failed(e.into()))?;
        replace(&path, &bytes).map_err(failed)?;
        Ok(code.expose())
    }

    /// The code that waits to be used; `None` when none does.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub(crate) fn read(data: &Path) -> Result<Option<Self>, CodeFileError> {
        let path = data.join(Self::NAME);
        let mut bytes = Vec::new();
        let read = fs::File::open(&path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
        match read {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CodeFileError::File { path, source }),
            Ok(_) => {}
        }
        let file: Option<Self> = serde_json::from_slice(&bytes).ok();
        let file = file.filter(|file| file.hash().is_some());
        file.map(Some).ok_or(CodeFileError::Content(path))
    }

    /// Takes it away, when it is still this one.
    pub(crate) fn remove(&self, data: &Path) {
        if let Ok(Some(now)) = Self::read(data)
            && now.sha256 == self.sha256
        {
            // What stays is void all the same: the database knows that it was used.
            let _ = fs::remove_file(data.join(Self::NAME));
        }
    }

    /// As identity judges it.
    pub(crate) fn issued(&self) -> Option<IssuedCode> {
        Some(IssuedCode { hash: self.hash()?, expires: self.expires, used: None })
    }

    fn hash(&self) -> Option<SecretHash> {
        SecretHash::from_hex(&self.sha256)
    }

    /// Under which name the database remembers that it was used, or seen.
    pub(crate) fn ticket(&self, what: &str) -> String {
        format!("code-{what}:{}", self.sha256)
    }
}

/// Writes a file of mode 0600, whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    match fs::remove_file(&part) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_code_is_kept_as_its_hash_and_a_new_one_replaces_it() {
        let dir = tempfile::tempdir().unwrap();
        assert!(CodeFile::read(dir.path()).unwrap().is_none());
        let first = CodeFile::issue(dir.path(), Timestamp(0)).unwrap();
        let old = CodeFile::read(dir.path()).unwrap().unwrap();
        let shown = CodeFile::issue(dir.path(), Timestamp(1000)).unwrap();
        let path = dir.path().join(CodeFile::NAME);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.to_uppercase().contains(&shown.expose().replace('-', "")), "{text}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let file = CodeFile::read(dir.path()).unwrap().unwrap();
        let redeem = |text: &str, at| {
            let mut issued = file.issued().unwrap();
            issued.redeem(&OneTimeCode::parse(text).unwrap(), Timestamp(at))
        };
        assert_eq!(redeem(shown.expose(), 86_400_999), Ok(()));
        assert!(redeem(shown.expose(), 86_401_000).is_err() && redeem(first.expose(), 2000).is_err());
        old.remove(dir.path());
        assert!(path.exists(), "another code is not removed");
        file.remove(dir.path());
        assert!(!path.exists());
    }

    proptest! {
        #[test]
        fn any_file_is_read_or_refused(bytes: Vec<u8>) {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(CodeFile::NAME), bytes).unwrap();
            prop_assert!(CodeFile::read(dir.path()).is_err());
        }
    }
}
