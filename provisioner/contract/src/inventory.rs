//! What a host says that it is made of. A claim: nothing here is proven by being said.

use serde::{Deserialize, Serialize};

use crate::ids::Mac;

/// SMBIOS type 0, 1 identity (DMTF DSP0134 §7.1, §7.2). Fields that firmware leaves empty are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Smbios {
    /// System serial number.
    pub serial: String,
    /// System UUID, lower case with dashes.
    pub uuid: String,
    /// System manufacturer.
    pub vendor: String,
    /// Product name.
    pub product: String,
    /// BIOS version.
    pub bios_version: String,
}

/// How a disk is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// NVM Express.
    Nvme,
    /// virtio-blk or virtio-scsi.
    Virtio,
    /// ATA, SAS or another SCSI disk.
    Sata,
    /// SD or eMMC.
    Mmc,
    /// USB mass storage.
    Usb,
    /// Anything else.
    Other,
}

/// One block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskInfo {
    /// Kernel name, such as `nvme0n1`.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// How it is attached.
    pub transport: Transport,
    /// Serial number, or empty.
    #[serde(default)]
    pub serial: String,
    /// Model, or empty.
    #[serde(default)]
    pub model: String,
    /// The kernel says that its medium can be removed.
    #[serde(default)]
    pub removable: bool,
    /// Bytes of a logical block.
    #[serde(default)]
    pub block_size: u32,
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicInfo {
    /// Kernel name.
    pub name: String,
    /// Permanent address.
    pub mac: Mac,
    /// Kernel driver, or empty.
    #[serde(default)]
    pub driver: String,
    /// Mbit/s, when the driver says.
    #[serde(default)]
    pub speed_mbps: Option<u32>,
    /// A cable with a live peer.
    #[serde(default)]
    pub carrier: bool,
}

/// The TPM's own description (TPM 2.0 Part 2, TPM_PT).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TpmInfo {
    /// Four-character vendor id, such as `IBM` or `INTC`.
    pub manufacturer: String,
    /// TPM_PT_FIRMWARE_VERSION_1 and _2.
    pub firmware_version: u64,
}

/// The parts of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inventory {
    /// Identity by firmware tables.
    pub smbios: Smbios,
    /// Model name of the first processor.
    pub cpu_model: String,
    /// Logical processors online.
    pub cpu_count: u32,
    /// Bytes of memory that the kernel manages.
    pub memory: u64,
    /// Block devices.
    pub disks: Vec<DiskInfo>,
    /// Network interfaces without loopback.
    pub nics: Vec<NicInfo>,
    /// The TPM, when there is one.
    pub tpm: Option<TpmInfo>,
    /// Kernel release.
    pub kernel: String,
    /// `uefi` or `bios`.
    pub firmware: String,
}
