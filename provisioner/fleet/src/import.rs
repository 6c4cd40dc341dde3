//! Adding a bundle: what an operator uploads becomes artifacts that are served, signed and predicted.

use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
};

use cairn_contract::{Digest, ImageManifest, PartitionImage, Role, Signed, Timestamp};
use cairn_store::{
    AddImageError, BlobError, BlobWriter, Blobs, Clock, Image, Installer, InstallerStanding, Store,
    WriteError,
};
use cairn_uki::{esp, predict::BootPrediction};
use serde::{Deserialize, Serialize};

use crate::{
    bundle::{Bundle, BundleError, Description},
    compose::{ComposeError, Composed, Parts, SiteParts, compose},
    frames,
};

/// Seconds that an image may be installed after it was signed: a year.
const IMAGE_S: u32 = 365 * 24 * 3600;
const MIB: u64 = 1 << 20;
/// Smallest data partition; it takes the rest of the disk.
const DATA_SIZE: u64 = 64 * MIB;
/// The removable-media path of UEFI 2.10 §3.5.1.1: found without a boot variable.
const ESP_BOOT: &str = "EFI/BOOT/BOOTX64.EFI";
/// The installer puts the host's own file beside it.
const ESP_README: &str = "cairn/readme.txt";
const README: &[u8] = b"host.json says which host this disk belongs to. It holds no secret.\n";

/// Why a bundle was not added. Nothing is served of it.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is not a bundle, or not a sound one.
    #[error("the bundle cannot be used")]
    Bundle(#[from] BundleError),
    /// Another processor.
    #[error("the bundle is for {0}; this site installs x86_64")]
    Architecture(String),
    /// Composition.
    #[error("cannot compose its boot image")]
    Compose(#[from] ComposeError),
    /// The ESP.
    #[error("cannot build its EFI system partition")]
    Esp(#[from] esp::EspError),
    /// The root file system is larger than its partition.
    #[error("its root file system has {size} bytes, its partition {partition}")]
    RootTooLarge {
        /// Bytes.
        size: u64,
        /// Bytes.
        partition: u64,
    },
    /// Storing.
    #[error("cannot store its blobs")]
    Blob(#[from] BlobError),
    /// Writing.
    #[error("cannot store its data")]
    Io(#[from] io::Error),
    /// The image exists or is older.
    #[error(transparent)]
    Image(#[from] AddImageError),
    /// The database.
    #[error("cannot record it")]
    Write(#[from] WriteError),
    /// Signing.
    #[error("cannot write its manifest")]
    Json(#[from] serde_json::Error),
    /// The worker thread died.
    #[error("the import did not finish")]
    Lost(#[from] tokio::task::JoinError),
}

/// What was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// `installer` or `image`.
    pub kind: String,
    /// Flavour or image name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Bytes that a host fetches.
    pub size: u64,
    /// Their SHA-256.
    pub sha256: Digest,
}

/// What is stored beside an artifact: its prediction, and what only firmware without UEFI needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reference {
    /// PCR 4 and 11.
    #[serde(flatten)]
    pub prediction: BootPrediction,
    /// Kernel command line.
    pub cmdline: String,
}

/// Adds bundles.
pub struct Importer {
    /// Records.
    pub store: Store,
    /// The site's keys and trust.
    pub site: Arc<SiteParts>,
    /// Manifests.
    pub signing: ed25519_dalek::SigningKey,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Importer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Importer").field("store", &self.store).finish_non_exhaustive()
    }
}

enum Made {
    Installer(Installer),
    Image(Box<Image>),
}

impl Importer {
    /// Adds the bundle in the file at `path`.
    pub async fn add(&self, path: PathBuf) -> Result<Imported, ImportError> {
        let worker = Worker {
            blobs: self.store.blobs().clone(),
            site: Arc::clone(&self.site),
            signing: self.signing.clone(),
            now: self.clock.now(),
        };
        match tokio::task::spawn_blocking(move || worker.make(&path)).await?? {
            Made::Installer(installer) => {
                self.store.add_installer(&installer).await?;
                let size = self.store.blobs().open(&installer.uki)?.map_or(0, |(_, size)| size);
                Ok(Imported {
                    kind: "installer".into(),
                    name: installer.flavour,
                    version: installer.version,
                    size,
                    sha256: installer.uki,
                })
            }
            Made::Image(image) => {
                self.store.add_image(&image).await?;
                let version = image.version.to_string();
                Ok(Imported {
                    kind: "image".into(),
                    name: image.name,
                    version,
                    size: image.size,
                    sha256: image.blob,
                })
            }
        }
    }
}

struct Worker {
    blobs: Blobs,
    site: Arc<SiteParts>,
    signing: ed25519_dalek::SigningKey,
    now: Timestamp,
}

impl Worker {
    fn make(&self, path: &PathBuf) -> Result<Made, ImportError> {
        let mut bundle = Bundle::open(File::open(path)?)?;
        let description = bundle.description.clone();
        let (Description::Installer { arch, cmdline, os_release, .. }
        | Description::Os { arch, cmdline, os_release, .. }) = &description;
        if arch != "x86_64" {
            return Err(ImportError::Architecture(arch.clone()));
        }
        let parts = Parts {
            stub: bundle.load("stub.efi")?,
            kernel: bundle.load("vmlinuz")?,
            initrd: bundle.load("initrd.zst")?,
            cmdline: cmdline.clone(),
            os_release: os_release.clone(),
        };
        let composed = compose(&parts, &self.site)?;
        match description {
            Description::Installer { flavour, version, .. } => {
                self.installer(flavour, version, &parts, &composed)
            }
            Description::Os { .. } => self.image(bundle, &description, &parts, &composed),
        }
    }

    fn installer(
        &self,
        flavour: String,
        version: u64,
        parts: &Parts,
        composed: &Composed,
    ) -> Result<Made, ImportError> {
        let uki = self.store(&composed.uki)?;
        // Two sites, or one site with another address, compose different bytes of one bundle: each is its own version.
        let version = format!("{version}-{}", uki.to_string().get(..8).unwrap_or_default());
        Ok(Made::Installer(Installer {
            flavour,
            version,
            created: self.now,
            reference: reference(parts, composed)?,
            uki,
            kernel: self.store(&parts.kernel)?,
            initrd: self.store(&composed.initrd)?,
            standing: InstallerStanding::Active,
        }))
    }

    fn image(
        &self,
        mut bundle: Bundle<File>,
        description: &Description,
        parts: &Parts,
        composed: &Composed,
    ) -> Result<Made, ImportError> {
        let Description::Os { name, version, os_version, root_mib, esp_mib, .. } = description else {
            return Err(BundleError::Missing("image.json").into());
        };
        let root_size = u64::from(*root_mib) * MIB;
        let size = bundle.size("root.erofs")?;
        if size > root_size {
            return Err(ImportError::RootTooLarge { size, partition: root_size });
        }
        // One volume for one image: its serial number comes from what is on it.
        let serial = u32::from_le_bytes(std::array::from_fn(|i| composed.prediction.pcr11.as_bytes()[i]));
        let files: [(&str, &[u8]); 2] = [(ESP_BOOT, &composed.uki), (ESP_README, README)];
        let esp = esp::build(&files, *esp_mib, serial)?;
        let mut blob = self.blobs.writer()?;
        let (esp_frames, at) = frames::append(&mut esp.as_slice(), &mut blob, 0)?;
        let (root_frames, at) = frames::append(&mut bundle.reader("root.erofs")?, &mut blob, at)?;
        let (digest, blob_size) = finish(blob, at)?;
        let part = |role, size, frames| PartitionImage { role, size, frames };
        let manifest = ImageManifest {
            name: name.clone(),
            version: *version,
            os_version: os_version.clone(),
            created: self.now,
            expires: self.now.after_seconds(IMAGE_S),
            blob: digest,
            blob_size,
            partitions: vec![
                part(Role::Esp, u64::from(*esp_mib) * MIB, esp_frames),
                part(Role::RootA, root_size, root_frames),
                part(Role::RootB, root_size, Vec::new()),
                part(Role::Data, DATA_SIZE, Vec::new()),
            ],
        };
        Ok(Made::Image(Box::new(Image {
            name: manifest.name.clone(),
            version: manifest.version,
            os_version: manifest.os_version.clone(),
            created: manifest.created,
            expires: manifest.expires,
            manifest: Signed::sign(&self.signing, &manifest)?,
            reference: reference(parts, composed)?,
            blob: digest,
            size: blob_size,
        })))
    }

    fn store(&self, bytes: &[u8]) -> Result<Digest, ImportError> {
        let mut writer = self.blobs.writer()?;
        writer.write_all(bytes)?;
        Ok(finish(writer, bytes.len() as u64)?.0)
    }
}

fn finish(blob: BlobWriter, expected: u64) -> Result<(Digest, u64), ImportError> {
    let (digest, size) = blob.finish()?;
    if size == expected {
        Ok((digest, size))
    } else {
        Err(io::Error::other("a blob has another length than was written").into())
    }
}

fn reference(parts: &Parts, composed: &Composed) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Reference {
        prediction: composed.prediction.clone(),
        cmdline: parts.cmdline.clone(),
    })
}
