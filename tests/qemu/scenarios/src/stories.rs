//! The table of all stories, the longest first so that the last job to end is a short one.

use anyhow::Result;

use crate::story::Story;
use crate::{
    bios_ipxe, container_without_kubernetes, corrupt_chunk, debian_on_nvme, decommission_with_proof,
    firmware_knocks, install_then_disk_boot, other_tpm, power_cut_mid_write, provisioner_killed_mid_install,
    replayed_quote, rig_breaks_things, secure_boot_accepts_and_refuses, server_gone_mid_stream,
    tampered_installer, uefi_http, uefi_https, uefi_pxe, unknown_host_waits, untrusted_tpms,
    vm_without_kubernetes, wrong_disks,
};

/// One story.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Also its file and its folder below `.lab`.
    pub(crate) name: &'static str,
    /// What it shows, in one line.
    pub(crate) promise: &'static str,
    /// How many guests it has on at once, at most.
    pub(crate) guests: usize,
    /// When it is told.
    pub(crate) told: Told,
    /// The story itself.
    pub(crate) tell: fn(&Story) -> Result<()>,
}

/// When a story is told that nobody asked for by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Each time.
    Always,
    /// With `--full`: it takes several minutes.
    Full,
}

/// All of them.
pub(crate) const STORIES: &[Entry] = &[
    Entry {
        name: "container_without_kubernetes",
        promise: "a host gets a container by its label, loses it with the label, and runs it without the provisioner",
        guests: 1,
        told: Told::Full,
        tell: container_without_kubernetes::tell,
    },
    Entry {
        name: "vm_without_kubernetes",
        promise: "a host runs a virtual machine that prints on its serial console, and halts it when told",
        guests: 1,
        told: Told::Full,
        tell: vm_without_kubernetes::tell,
    },
    Entry {
        name: "debian_on_nvme",
        promise: "the metal installer writes the Debian image to an NVMe disk, and its agent reports",
        guests: 1,
        told: Told::Always,
        tell: debian_on_nvme::tell,
    },
    Entry {
        name: "decommission_with_proof",
        promise: "a running host is wiped, a power cut included; its TPM signs for it, and its machine is nobody's",
        guests: 1,
        told: Told::Always,
        tell: decommission_with_proof::tell,
    },
    Entry {
        name: "provisioner_killed_mid_install",
        promise: "the provisioner is killed while a host writes: the host finishes and runs",
        guests: 1,
        told: Told::Always,
        tell: provisioner_killed_mid_install::tell,
    },
    Entry {
        name: "power_cut_mid_write",
        promise: "power fails while writing: the disk does not boot, the next boot starts again and finishes",
        guests: 1,
        told: Told::Always,
        tell: power_cut_mid_write::tell,
    },
    Entry {
        name: "server_gone_mid_stream",
        promise: "the provisioner is unreachable for 25 s while a host writes: the download resumes",
        guests: 1,
        told: Told::Always,
        tell: server_gone_mid_stream::tell,
    },
    Entry {
        name: "install_then_disk_boot",
        promise: "power-on to running, and after a power cut running again from the disk",
        guests: 1,
        told: Told::Always,
        tell: install_then_disk_boot::tell,
    },
    Entry {
        name: "secure_boot_accepts_and_refuses",
        promise: "with the site's keys in the firmware, its installer starts and an altered one does not",
        guests: 1,
        told: Told::Always,
        tell: secure_boot_accepts_and_refuses::tell,
    },
    Entry {
        name: "untrusted_tpms",
        promise: "no TPM, no certificate, an unknown maker: refused, with the reason on the timeline",
        guests: 1,
        told: Told::Always,
        tell: untrusted_tpms::tell,
    },
    Entry {
        name: "wrong_disks",
        promise: "no disk or one too small: a clear failure, no loop, no other disk touched",
        guests: 1,
        told: Told::Always,
        tell: wrong_disks::tell,
    },
    Entry {
        name: "corrupt_chunk",
        promise: "a rotten frame is refused before it reaches the disk; mended, the host installs",
        guests: 1,
        told: Told::Always,
        tell: corrupt_chunk::tell,
    },
    Entry {
        name: "other_tpm",
        promise: "a registered serial number with another TPM: quarantined, never merged, the host is warned",
        guests: 1,
        told: Told::Always,
        tell: other_tpm::tell,
    },
    Entry {
        name: "uefi_https",
        promise: "Debian 12's OVMF boots over HTTPS without elliptic curves",
        guests: 1,
        told: Told::Always,
        tell: uefi_https::tell,
    },
    Entry {
        name: "bios_ipxe",
        promise: "a BIOS machine boots by iPXE and proves its TPM, but not its boot: refused",
        guests: 1,
        told: Told::Always,
        tell: bios_ipxe::tell,
    },
    Entry {
        name: "tampered_installer",
        promise: "an altered installer boots and is told by PCR 4, naming the event",
        guests: 1,
        told: Told::Always,
        tell: tampered_installer::tell,
    },
    Entry {
        name: "unknown_host_waits",
        promise: "an unregistered machine waits as pending, gets nothing, installs once accepted",
        guests: 1,
        told: Told::Always,
        tell: unknown_host_waits::tell,
    },
    Entry {
        name: "uefi_pxe",
        promise: "a UEFI machine boots by PXE and TFTP and gets a plan",
        guests: 1,
        told: Told::Always,
        tell: uefi_pxe::tell,
    },
    Entry {
        name: "uefi_http",
        promise: "a UEFI machine boots by HTTP and gets a plan",
        guests: 1,
        told: Told::Always,
        tell: uefi_http::tell,
    },
    Entry {
        name: "replayed_quote",
        promise: "an old quote, a foreign nonce, a log that the PCRs do not tell: quarantined",
        guests: 1,
        told: Told::Always,
        tell: replayed_quote::tell,
    },
    Entry {
        name: "rig_breaks_things",
        promise: "the lab's silent cables, bad weather, power cuts and killed servers do what they say",
        guests: 1,
        told: Told::Always,
        tell: rig_breaks_things::tell,
    },
    Entry {
        name: "firmware_knocks",
        promise: "OVMF (PXE, HTTP) and SeaBIOS with iPXE power on and ask for an address as themselves",
        guests: 1,
        told: Told::Always,
        tell: firmware_knocks::tell,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_fit_a_folder() {
        for (index, story) in STORIES.iter().enumerate() {
            assert!(
                story
                    .name
                    .chars()
                    .all(|letter| letter.is_ascii_lowercase() || "_0123456789".contains(letter))
            );
            assert!(!STORIES.iter().skip(index + 1).any(|other| other.name == story.name), "{}", story.name);
            assert!(story.guests >= 1);
        }
    }
}
