//! Where everything is. Only parsed names become paths.

use std::path::{Path, PathBuf};

use cairn_contract::Digest;

use crate::{Kind, RepositoryName, Tag, digest::parse_hex};

/// Paths below one folder of blobs.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn own(&self, folder: &str) -> PathBuf {
        self.root.join("registry").join(folder)
    }

    pub(crate) fn shared(&self, digest: &Digest) -> PathBuf {
        sharded(self.root.join("sha256"), digest)
    }

    pub(crate) fn all_published(&self) -> PathBuf {
        self.own("published")
    }

    pub(crate) fn published(&self, digest: &Digest) -> PathBuf {
        sharded(self.all_published(), digest)
    }

    pub(crate) fn withdrawn(&self) -> PathBuf {
        self.own("withdrawn")
    }

    pub(crate) fn uploads(&self) -> PathBuf {
        self.own("uploads")
    }

    pub(crate) fn imports(&self) -> PathBuf {
        self.own("imports")
    }

    /// An upload's name holds its repository's, so that nobody continues it from another.
    pub(crate) fn upload(&self, name: &RepositoryName, id: &str) -> PathBuf {
        let repository = Digest::of(name.as_str().as_bytes()).to_string();
        self.uploads().join(format!("{}-{id}", repository.get(..32).unwrap_or_default()))
    }

    pub(crate) fn locks(&self) -> PathBuf {
        self.own("locks")
    }

    /// One of 256 files, which are never removed.
    pub(crate) fn lock(&self, name: &RepositoryName) -> PathBuf {
        let Digest([first, ..]) = Digest::of(name.as_str().as_bytes());
        self.locks().join(format!("{first:02x}"))
    }

    pub(crate) fn all_repositories(&self) -> PathBuf {
        self.own("repositories")
    }

    pub(crate) fn repository(&self, name: &RepositoryName) -> PathBuf {
        self.all_repositories().join(name.as_str())
    }

    pub(crate) fn blobs(&self, name: &RepositoryName) -> PathBuf {
        self.repository(name).join("_blobs")
    }

    pub(crate) fn blob(&self, name: &RepositoryName, digest: &Digest) -> PathBuf {
        self.blobs(name).join(digest.to_string())
    }

    pub(crate) fn manifests(&self, name: &RepositoryName) -> PathBuf {
        self.repository(name).join("_manifests")
    }

    pub(crate) fn manifest(&self, name: &RepositoryName, digest: &Digest, kind: Kind) -> PathBuf {
        self.manifests(name).join(format!("{digest}.{}", suffix(kind)))
    }

    pub(crate) fn tags(&self, name: &RepositoryName) -> PathBuf {
        self.repository(name).join("_tags")
    }

    pub(crate) fn tag(&self, name: &RepositoryName, tag: &Tag) -> PathBuf {
        self.tags(name).join(tag.as_str())
    }

    pub(crate) fn all_referrers(&self, name: &RepositoryName) -> PathBuf {
        self.repository(name).join("_referrers")
    }

    pub(crate) fn referrers(&self, name: &RepositoryName, subject: &Digest) -> PathBuf {
        self.all_referrers(name).join(subject.to_string())
    }

    pub(crate) fn referrer(&self, name: &RepositoryName, subject: &Digest, digest: &Digest) -> PathBuf {
        self.referrers(name, subject).join(digest.to_string())
    }
}

fn sharded(folder: PathBuf, digest: &Digest) -> PathBuf {
    let name = digest.to_string();
    folder.join(name.get(..2).unwrap_or_default()).join(&name)
}

fn suffix(kind: Kind) -> &'static str {
    match kind {
        Kind::Image => "image",
        Kind::Index => "index",
        Kind::DockerImage => "docker-image",
        Kind::DockerList => "docker-list",
    }
}

/// What a file of `_manifests` is.
pub(crate) fn manifest_named(file: &str) -> Option<(Digest, Kind)> {
    let (hex, kind) = file.split_once('.')?;
    let kind = Kind::ALL.into_iter().find(|k| suffix(*k) == kind)?;
    Some((parse_hex(hex)?, kind))
}
