//! How long each stage of a boot may take: four times what a quiet two-core machine needs under emulation, and never less
//! than twenty seconds, because two guests share the cores with their server.
//!
//! `CAIRN_LAB_PATIENCE` multiplies every deadline (2 on a slow machine).

use std::time::Duration;

/// A named part of a boot with its own deadline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// What is being waited for, as a person would say it.
    pub name: &'static str,
    /// Seconds on a quiet machine, counted from the start of the wait.
    pub quiet: f64,
}

impl Stage {
    /// Power-on to the firmware's first serial line.
    pub const FIRMWARE: Stage = Stage::new("firmware starts", 7.6);
    /// Power-on to the first DHCP DISCOVER of any firmware, with a TPM and an empty disk tried first.
    pub const DISCOVER: Stage = Stage::new("DHCP DISCOVER", 9.0);
    /// The first DISCOVER to the request for the boot file (EDK2 collects offers for 4 s).
    pub const BOOT_FILE: Stage = Stage::new("boot file requested", 6.0);
    /// Power-on to the installer's first line over UEFI; Secure Boot and a TPM that measures the UKI included.
    pub const INSTALLER: Stage = Stage::new("installer starts", 24.0);
    /// Power-on to the installer's first line through iPXE.
    pub const INSTALLER_BY_IPXE: Stage = Stage::new("installer starts", 24.0);
    /// The installer's first line to the verdict on its evidence.
    pub const ATTESTATION: Stage = Stage::new("attestation", 8.0);
    /// Writing an image of some 160 MB compressed.
    pub const WRITE: Stage = Stage::new("image written", 35.0);
    /// Reboot to the installed OS calling home.
    pub const FIRST_BOOT: Stage = Stage::new("installed OS calls home", 36.0);
    /// A local program doing something that takes no firmware.
    pub const LOCAL: Stage = Stage::new("local answer", 2.0);

    /// A stage of your own: `quiet` seconds on a quiet machine.
    #[must_use]
    pub const fn new(name: &'static str, quiet: f64) -> Self {
        Self { name, quiet }
    }

    /// How long to wait before giving up.
    #[must_use]
    pub fn deadline(self) -> Duration {
        self.deadline_with(factor(std::env::var("CAIRN_LAB_PATIENCE").ok().as_deref()))
    }

    fn deadline_with(self, patience: f64) -> Duration {
        const LOAD: f64 = 4.0;
        const LEAST: f64 = 20.0;
        Duration::from_secs_f64((self.quiet * LOAD).max(LEAST) * patience)
    }
}

/// The multiplier; anything that is not a number between 0.1 and 100 counts as 1.
fn factor(text: Option<&str>) -> f64 {
    text.and_then(|text| text.trim().parse().ok())
        .filter(|value| (0.1..=100.0).contains(value))
        .unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_follow_the_quiet_figure_and_patience() {
        assert_eq!(Stage::new("x", 10.0).deadline_with(1.0), Duration::from_secs(40));
        assert_eq!(Stage::new("x", 10.0).deadline_with(2.0), Duration::from_secs(80));
        assert_eq!(Stage::new("x", 0.5).deadline_with(1.0), Duration::from_secs(20));
    }

    #[test]
    fn nonsense_patience_counts_as_one() {
        for text in [None, Some(""), Some("nan"), Some("-3"), Some("inf"), Some("1e9")] {
            assert!((factor(text) - 1.0).abs() < f64::EPSILON, "{text:?}");
        }
        assert!((factor(Some(" 2.5 ")) - 2.5).abs() < f64::EPSILON);
    }
}
