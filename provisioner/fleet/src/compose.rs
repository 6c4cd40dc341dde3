//! One UKI from a bundle's parts and the site's own: its CA and address become part of what is signed and measured.

use cairn_contract::SiteTrust;
use cairn_uki::{
    authenticode, cpio, initramfs,
    predict::{self, BootPrediction},
    uki::{self, UkiParts},
};

/// Where [`SiteTrust`] lies in the initramfs.
pub const SITE_FILE: &str = "cairn/site.json";

/// Why no UKI came out.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The site's part of the initramfs.
    #[error("cannot write the site's part of the initramfs")]
    Site(#[from] cpio::ArchiveError),
    /// Compression of it.
    #[error("cannot compress the site's part of the initramfs")]
    Compress(#[from] initramfs::CompressError),
    /// The stub, kernel or command line.
    #[error("cannot build the boot image")]
    Build(#[from] uki::BuildError),
    /// Signing.
    #[error("cannot sign the boot image")]
    Sign(#[from] authenticode::SignError),
    /// Prediction.
    #[error("cannot predict what the boot image measures")]
    Predict(#[from] predict::PredictError),
    /// JSON of the site's trust.
    #[error("cannot write the site's trust")]
    Json(#[from] serde_json::Error),
}

/// Kernel, initramfs, stub and texts of a bundle.
#[derive(Debug)]
pub struct Parts {
    /// systemd-stub.
    pub stub: Vec<u8>,
    /// EFI-stub kernel.
    pub kernel: Vec<u8>,
    /// Base initramfs, zstd.
    pub initrd: Vec<u8>,
    /// Kernel command line.
    pub cmdline: String,
    /// os-release(5).
    pub os_release: String,
}

/// What a site adds to every UKI.
#[derive(Debug)]
pub struct SiteParts {
    /// Goes into the initramfs.
    pub trust: SiteTrust,
    /// Authenticode key.
    pub db_key: rsa::RsaPrivateKey,
    /// Its certificate, DER.
    pub db_certificate: Vec<u8>,
}

/// A signed UKI and what it will measure.
#[derive(Debug)]
pub struct Composed {
    /// The signed UKI.
    pub uki: Vec<u8>,
    /// Base and site initramfs, for firmware that loads kernel and initrd on their own.
    pub initrd: Vec<u8>,
    /// PCR 4 and 11.
    pub prediction: BootPrediction,
}

/// Composes. The same parts and site give the same bytes.
pub fn compose(parts: &Parts, site: &SiteParts) -> Result<Composed, ComposeError> {
    let mut archive = cpio::Archive::new();
    archive.dir("cairn", 0o755)?;
    archive.file(SITE_FILE, 0o644, serde_json::to_vec(&site.trust)?)?;
    let member = initramfs::compress(&archive.finish()?, 3)?;
    let initrd = initramfs::join(&[&parts.initrd, &member]);
    let unsigned = uki::build(&UkiParts {
        stub: &parts.stub,
        osrel: &parts.os_release,
        cmdline: &parts.cmdline,
        linux: &parts.kernel,
        initrd: &initrd,
        uname: None,
        sbat: None,
    })?;
    let uki = authenticode::sign(&unsigned, &site.db_key, &site.db_certificate)?;
    let prediction = predict::from_uki(&uki)?;
    Ok(Composed { uki, initrd, prediction })
}
