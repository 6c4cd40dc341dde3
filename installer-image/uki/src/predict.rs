//! The PCR values that a UKI will leave behind, computed from its finished (signed) bytes.
//!
//! PCR 4 by firmware (TCG PC Client Platform Firmware Profile 1.06, section 3.3.4.5, as EDK2 does it): boot attempt,
//! separator, the UKI, then the kernel that the stub loads. With Secure Boot on, the kernel is missing there: stub 252
//! replaces the firmware's file authentication while it loads the kernel, and EDK2 measures in just that call (seen in
//! tests/data). PCR 11 by systemd-stub: each section's name and data.
//! Not a reading of event logs: that is `evidence`, which compares. Callers: whoever publishes a UKI.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use serde::{Deserialize, Serialize};

use crate::authenticode::{HashError, measured};
use crate::digest::Sha256Digest;
use crate::pe::{Image, ParseError};

/// Sections that stub 252 measures, in this order. 253 adds `.uname` and `.sbat`; `.pcrsig` is never measured.
const MEASURED_BY_252: [&str; 7] = [".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".pcrpkey"];
const MAGIC: &[u8] = b"#### LoaderInfo: systemd-stub ";
/// EV_EFI_ACTION strings are measured without NUL.
const CALLING: &[u8] = b"Calling EFI Application from Boot Option";
const RETURNING: &[u8] = b"Returning from EFI Application from Boot Option";
const SEPARATOR: &[u8] = &[0; 4];

/// One section as the stub measures it: two events in PCR 11.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionMeasurement {
    /// Such as `.linux`.
    pub name: String,
    /// Of the name in ASCII with its NUL.
    pub name_digest: Sha256Digest,
    /// Of the section's `VirtualSize` bytes.
    pub data_digest: Sha256Digest,
}

/// The state of the firmware's Secure Boot; it decides what PCR 4 gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecureBoot {
    /// Off, or in setup mode.
    Off,
    /// Enforced.
    On,
}

/// What a host that booted this UKI must report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootPrediction {
    /// Authenticode digests as EV_EFI_BOOT_SERVICES_APPLICATION in PCR 4, in order: the UKI, its kernel. With Secure
    /// Boot only the first: see [`BootPrediction::apps`].
    pub boot_apps: [Sha256Digest; 2],
    /// PCR 4 without Secure Boot when this UKI was the first boot option tried; for others see
    /// [`BootPrediction::pcr4_after`].
    pub pcr4: Sha256Digest,
    /// The same with Secure Boot.
    pub pcr4_secure_boot: Sha256Digest,
    /// PCR 11 at the hand-over to the kernel, with or without Secure Boot.
    pub pcr11: Sha256Digest,
    /// The events behind `pcr11`.
    pub pcr11_sections: Vec<SectionMeasurement>,
}

/// Why nothing can be predicted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PredictError {
    /// Not a PE32+ image.
    #[error("the UKI cannot be read")]
    Image(#[from] ParseError),
    /// No unambiguous Authenticode digest.
    #[error("the UKI cannot be hashed")]
    Uki(#[source] HashError),
    /// No unambiguous Authenticode digest of `.linux`.
    #[error("the kernel in the UKI cannot be hashed")]
    Kernel(#[source] HashError),
    /// The image has no `.linux` section.
    #[error("the image has no kernel")]
    NoKernel,
    /// The image does not say which systemd-stub it is.
    #[error("the image is not built on systemd-stub")]
    NoStub,
    /// What this stub measures is not known here; guessing would quarantine hosts.
    #[error("systemd-stub {version} is not known, only 252")]
    StubVersion {
        /// As the stub says.
        version: String,
    },
    /// A section is longer in memory than in the file, or empty.
    #[error("section {name} has no fixed content")]
    Section {
        /// Its name.
        name: String,
    },
}

/// Predicts PCR 4 and PCR 11 from a UKI's final bytes.
///
/// # Errors
/// An image that is no UKI on a known stub, or whose measurements are not certain.
pub fn from_uki(uki: &[u8]) -> Result<BootPrediction, PredictError> {
    let image = Image::parse(uki)?;
    check_stub(&image)?;
    let mut sections = Vec::new();
    for name in MEASURED_BY_252 {
        if let Some(data) = data(&image, name)? {
            sections.push(SectionMeasurement {
                name: name.into(),
                name_digest: Sha256Digest::of(&[name.as_bytes(), b"\0"].concat()),
                data_digest: Sha256Digest::of(data),
            });
        }
    }
    let kernel = data(&image, ".linux")?.ok_or(PredictError::NoKernel)?;
    let boot_apps =
        [measured(uki).map_err(PredictError::Uki)?, measured(kernel).map_err(PredictError::Kernel)?];
    let events = sections.iter().flat_map(|s| [&s.name_digest, &s.data_digest]);
    Ok(BootPrediction {
        pcr4: pcr4(apps(&boot_apps, SecureBoot::Off), 0),
        pcr4_secure_boot: pcr4(apps(&boot_apps, SecureBoot::On), 0),
        boot_apps,
        pcr11: events.fold(Sha256Digest::ZERO, |pcr, event| pcr.extend(event)),
        pcr11_sections: sections,
    })
}

impl BootPrediction {
    /// The applications that firmware measures into PCR 4.
    #[must_use]
    pub fn apps(&self, secure_boot: SecureBoot) -> &[Sha256Digest] {
        apps(&self.boot_apps, secure_boot)
    }

    /// PCR 4 after `failed` boot options that were tried first and loaded nothing, such as an empty disk: EDK2 adds a
    /// "Returning" and a "Calling" event for each.
    #[must_use]
    pub fn pcr4_after(&self, failed: u8, secure_boot: SecureBoot) -> Sha256Digest {
        pcr4(self.apps(secure_boot), failed)
    }
}

fn apps(both: &[Sha256Digest; 2], secure_boot: SecureBoot) -> &[Sha256Digest] {
    match secure_boot {
        SecureBoot::Off => both,
        SecureBoot::On => both.first_chunk::<1>().map_or(&[], |uki| uki),
    }
}

fn pcr4(apps: &[Sha256Digest], failed: u8) -> Sha256Digest {
    let calling = Sha256Digest::of(CALLING);
    let returning = Sha256Digest::of(RETURNING);
    let start = Sha256Digest::ZERO.extend(&calling).extend(&Sha256Digest::of(SEPARATOR));
    let tried = (0..failed).fold(start, |pcr, _| pcr.extend(&returning).extend(&calling));
    apps.iter().fold(tried, |pcr, app| pcr.extend(app))
}

fn data<'a>(image: &Image<'a>, name: &str) -> Result<Option<&'a [u8]>, PredictError> {
    let Some(section) = image.section(name)? else { return Ok(None) };
    match image.data(section) {
        Some(data) if !data.is_empty() => Ok(Some(data)),
        _ => Err(PredictError::Section { name: name.into() }),
    }
}

/// The version is in `.sdmagic`: `#### LoaderInfo: systemd-stub 252.39-1~deb12u2 ####`.
fn check_stub(image: &Image<'_>) -> Result<(), PredictError> {
    let magic = data(image, ".sdmagic")?.ok_or(PredictError::NoStub)?;
    let rest = magic.strip_prefix(MAGIC).ok_or(PredictError::NoStub)?;
    let version = rest.split(|b| *b == b' ').next().unwrap_or_default();
    match version.strip_prefix(b"252") {
        Some([]) => Ok(()),
        Some([next, ..]) if !next.is_ascii_digit() => Ok(()),
        _ => Err(PredictError::StubVersion { version: String::from_utf8_lossy(version).into_owned() }),
    }
}
