//! Why a bundle could not be built.

use std::io;
use std::path::{Path, PathBuf};

use cairn_apt::{FetchError, SourceError};
use cairn_uki::cpio::ArchiveError;
use cairn_uki::initramfs::CompressError;

/// Why a bundle could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file or folder could not be read or written.
    #[error("cannot use {path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program did not start.
    #[error("cannot run {program}; cargo xtask image installs what is needed")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program ended with an error.
    #[error("{program} failed: {said}")]
    Failed {
        /// The program.
        program: String,
        /// The end of its error output.
        said: String,
    },
    /// The recipe is not what this program reads.
    #[error("recipe {name} cannot be read")]
    Recipe {
        /// The recipe.
        name: String,
        /// What is wrong.
        #[source]
        source: toml::de::Error,
    },
    /// There is no recipe of that name and kind.
    #[error("there is no {kind} recipe `{name}`")]
    NoRecipe {
        /// `installer` or `os`.
        kind: &'static str,
        /// As asked for.
        name: String,
    },
    /// The recipe asks for a module that this kernel neither has nor has built in.
    #[error("kernel {kernel} has no module {module}")]
    NoModule {
        /// The kernel's version.
        kernel: String,
        /// The module's name.
        module: String,
    },
    /// A package does not hold what it should.
    #[error("{package} holds no {what}")]
    NotInPackage {
        /// The package.
        package: String,
        /// What was looked for.
        what: String,
    },
    /// The root file system does not fit its partition.
    #[error("the root file system has {have} bytes, its partition is to have {limit}")]
    RootTooBig {
        /// Bytes of the file system.
        have: u64,
        /// Bytes of the partition.
        limit: u64,
    },
    /// A program for the host is not static.
    #[error("{0} is not a static program: it would not start as PID 1")]
    NotStatic(PathBuf),
    /// A manifest could not be written.
    #[error("cannot write the manifest")]
    Manifest(#[source] serde_json::Error),
    /// The machine's apt sources could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The machine's apt sources lack Debian's base suite.
    #[error("no apt source of this machine gives {0} main")]
    NoSuite(&'static str),
    /// Packages could not be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The initramfs could not be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The initramfs could not be compressed.
    #[error(transparent)]
    Compress(#[from] CompressError),
}

/// Names the file in an I/O error.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::Io { path, source }
}
