//! The last [`Desired`] on disk: what this host goes on with when the provisioner is away. It holds no secret.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use cairn_contract::workload::{Desired, MAX_DESIRED};

const NAME: &str = "desired.json";

/// The file.
#[derive(Debug, Clone)]
pub struct Kept(PathBuf);

impl Kept {
    /// In this folder, which must be there.
    #[must_use]
    pub fn within(folder: &Path) -> Self {
        Self(folder.join(NAME))
    }

    /// `None` when there is none, or none that is understood: the provisioner is asked then.
    #[must_use]
    pub fn load(&self) -> Option<Desired> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(MAX_DESIRED).unwrap_or(u64::MAX);
        fs::File::open(&self.0).ok()?.take(limit).read_to_end(&mut bytes).ok()?;
        let desired = serde_json::from_slice(&bytes);
        desired.inspect_err(|error| tracing::warn!(%error, "what this host was told is not understood")).ok()
    }

    /// Whole or not at all.
    ///
    /// # Errors
    /// As `write(2)` and `rename(2)`.
    pub fn save(&self, desired: &Desired) -> io::Result<()> {
        let part = self.0.with_extension("part");
        let _old = fs::remove_file(&part);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        file.write_all(&serde_json::to_vec(desired)?)?;
        file.sync_all()?;
        fs::rename(&part, &self.0)?;
        // The name, too, outlives a power cut.
        fs::File::open(self.0.parent().unwrap_or(Path::new("/")))?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_read_again_and_rubbish_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::within(folder.path());
        assert_eq!(kept.load(), None);
        let desired = Desired::new(None, None, Vec::new());
        kept.save(&desired).unwrap();
        kept.save(&desired).unwrap();
        assert_eq!(kept.load(), Some(desired));
        for bytes in [&b"{"[..], b"", b"[]", &[0xff; 100]] {
            fs::write(&kept.0, bytes).unwrap();
            assert_eq!(kept.load(), None);
        }
    }
}
