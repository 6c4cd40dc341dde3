//! `boot`: puts a machine together from its command line and powers it on.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cairn_lab::vars::SecureBootKeys;
use cairn_lab::{Bus, Disk, Firmware, Guest, Net, NetBoot, Tpm, TpmCa, esl};
use clap::{Args, ValueEnum};

use crate::state::{Machine, Process, State};
use crate::up::say;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Board {
    /// OVMF.
    Uefi,
    /// OVMF with Secure Boot; needs --db.
    UefiSecure,
    /// SeaBIOS with iPXE.
    Bios,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Network {
    Pxe,
    Http,
    Off,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Slot {
    Virtio,
    Nvme,
    UsbStick,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Chip {
    /// With EK certificates of the lab's manufacturer.
    Certified,
    /// Of another manufacturer.
    Unknown,
    /// Without EK certificates.
    Bare,
    None,
}

/// A machine's parts.
#[derive(Debug, Args)]
pub(crate) struct Parts {
    /// Its name.
    name: String,
    #[arg(long, value_enum, default_value = "uefi")]
    firmware: Board,
    /// What it tries on its NIC; BIOS always means iPXE.
    #[arg(long, value_enum, default_value = "http")]
    netboot: Network,
    #[arg(long, value_enum, default_value = "certified")]
    tpm: Chip,
    /// MiB.
    #[arg(long, default_value_t = 1024)]
    memory: u32,
    /// GiB of the disk, when it is new.
    #[arg(long, default_value_t = 4)]
    disk: u64,
    #[arg(long, value_enum, default_value = "virtio")]
    bus: Slot,
    /// A disk image to use instead.
    #[arg(long)]
    disk_file: Option<PathBuf>,
    /// Secure Boot's db (PEM).
    #[arg(long, required_if_eq("firmware", "uefi-secure"))]
    db: Option<PathBuf>,
    /// Secure Boot's key exchange key (PEM); the db's certificate if not given.
    #[arg(long)]
    kek: Option<PathBuf>,
    /// Secure Boot's platform key (PEM); the db's certificate if not given.
    #[arg(long)]
    pk: Option<PathBuf>,
    /// What its firmware trusts for HTTPS boot (PEM).
    #[arg(long)]
    https_root: Option<PathBuf>,
    /// Records its frames (pcap).
    #[arg(long)]
    capture: Option<PathBuf>,
}

/// Powers the machine on.
pub(crate) fn boot(folder: &Path, parts: &Parts) -> Result<()> {
    let mut state = State::load(folder)?;
    if state.machines.get(&parts.name).is_some_and(|machine| machine.qemu.runs()) {
        bail!("{} is on: `cairn-lab cut {}` first", parts.name, parts.name);
    }
    let guest = assemble(folder, parts)?;
    let net = Net::attach(&state.net)?;
    let (qemu, tpm) = guest.start_loose(&net)?;
    let qemu = Process::of(qemu).context("QEMU ended at once; see serial.log")?;
    let machine = Machine { qemu, tpm: tpm.and_then(Process::of), serial: guest.serial_path() };
    state.machines.insert(parts.name.clone(), machine);
    state.save(folder)?;
    say(&format!("{} is on: MAC {}, serial {}, UUID {}", guest.name, guest.mac, guest.serial, guest.uuid));
    Ok(())
}

fn assemble(folder: &Path, parts: &Parts) -> Result<Guest> {
    let home = folder.join("machines").join(&parts.name);
    std::fs::create_dir_all(&home)?;
    let mut guest = Guest::new(&parts.name, &home).disk(disk(&home, parts)?);
    guest.firmware = match parts.firmware {
        Board::Uefi => Firmware::Uefi,
        Board::UefiSecure => Firmware::UefiSecureBoot(Box::new(keys(parts)?)),
        Board::Bios => Firmware::Bios,
    };
    guest.netboot = match parts.netboot {
        Network::Pxe => NetBoot::Pxe,
        Network::Http => NetBoot::Http,
        Network::Off => NetBoot::Off,
    };
    guest.memory = parts.memory;
    guest.tpm = tpm(folder, &home, parts.tpm)?;
    guest.capture.clone_from(&parts.capture);
    if let Some(root) = &parts.https_root {
        guest = guest.trust_https(esl::certificate(root)?);
    }
    Ok(guest)
}

fn disk(home: &Path, parts: &Parts) -> Result<Disk> {
    let path = parts.disk_file.clone().unwrap_or_else(|| home.join("disk.raw"));
    let disk = if path.exists() { Disk::open(&path)? } else { Disk::create(&path, parts.disk << 30)? };
    Ok(disk.serial(&parts.name).bus(match parts.bus {
        Slot::Virtio => Bus::Virtio,
        Slot::Nvme => Bus::Nvme,
        Slot::UsbStick => Bus::UsbStick,
    }))
}

fn tpm(folder: &Path, home: &Path, chip: Chip) -> Result<Option<Tpm>> {
    let state = home.join("tpm");
    if chip == Chip::None {
        return Ok(None);
    }
    if state.join("tpm2-00.permall").exists() {
        return Ok(Some(Tpm::open(&state)));
    }
    let ca = |name| TpmCa::open(&folder.join("tpm-ca"), name);
    let tpm = match chip {
        Chip::Certified => Tpm::certified(&state, &ca("known")?),
        Chip::Unknown => Tpm::certified(&state, &ca("unknown")?),
        Chip::Bare | Chip::None => Tpm::bare(&state),
    };
    Ok(Some(tpm?))
}

fn keys(parts: &Parts) -> Result<SecureBootKeys> {
    let db = parts.db.as_deref().context("--db is needed")?;
    let read = |path: Option<&Path>| esl::certificate(path.unwrap_or(db));
    Ok(SecureBootKeys {
        pk: read(parts.pk.as_deref())?,
        kek: read(parts.kek.as_deref())?,
        db: vec![read(None)?],
    })
}
