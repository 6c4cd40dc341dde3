//! A bare machine that is off: what it is made of. `start` powers it on, as often as the story needs, with the same disks,
//! TPM and firmware variables.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustls_pki_types::CertificateDer;
use uuid::Uuid;

use crate::arguments::{self, Wiring};
use crate::child::{Leash, Owned};
use crate::disk::Disk;
use crate::esl;
use crate::firmware::{Firmware, NetBoot};
use crate::net::{Net, NetError};
use crate::running::Running;
use crate::tpm::{Tpm, TpmError};
use crate::transcript::Transcript;
use crate::vars::{VarStore, VarsError};
use crate::wire::{Weather, Wire};

/// Why a guest could not be powered on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No port on the network.
    #[error("guest {0} has no network")]
    Net(String, #[source] NetError),
    /// Its TPM does not start.
    #[error("guest {0} has no TPM")]
    Tpm(String, #[source] TpmError),
    /// A file of the guest.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The firmware's variables.
    #[error("cannot use the variables in {path}")]
    Vars {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: VarsError,
    },
    /// QEMU is not installed, or may not run.
    #[error("cannot start qemu-system-x86_64")]
    Qemu(#[source] io::Error),
}

impl StartError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// A machine's parts. A plain value: change what the methods do not cover.
#[derive(Debug, Clone)]
pub struct Guest {
    /// Short and unique within its network.
    pub name: String,
    /// Where its variables and serial log are kept.
    pub folder: PathBuf,
    /// SMBIOS UUID. Two guests with one UUID get one machine-id and one address.
    pub uuid: Uuid,
    /// SMBIOS system serial number.
    pub serial: String,
    /// The NIC's MAC.
    pub mac: String,
    /// MiB.
    pub memory: u32,
    /// QEMU's CPU model. Nehalem is the fastest under emulation; `max` where AES matters.
    pub cpu: String,
    /// Its firmware.
    pub firmware: Firmware,
    /// What the firmware tries on its NIC.
    pub netboot: NetBoot,
    /// Its TPM, if it has one.
    pub tpm: Option<Tpm>,
    /// Its disks.
    pub disks: Vec<Disk>,
    /// What its firmware trusts for HTTPS boot.
    pub https_roots: Vec<CertificateDer<'static>>,
    /// Where every frame of its NIC is recorded (pcap), if anywhere.
    pub capture: Option<PathBuf>,
    /// What happens to its frames on their way; `None` takes the short way, without the lab in between.
    pub weather: Option<Weather>,
    /// QEMU ends instead of rebooting.
    pub ends_on_reboot: bool,
    /// More arguments for QEMU.
    pub extra: Vec<String>,
}

impl Guest {
    /// A UEFI machine with 1 GiB, no disk, no TPM, booting over HTTP. UUID, serial and MAC follow from the name.
    #[must_use]
    pub fn new(name: &str, folder: &Path) -> Self {
        let seed = seed(name);
        let [a, b, c, ..] = seed.to_be_bytes();
        Self {
            name: name.to_owned(),
            folder: folder.to_owned(),
            uuid: uuid::Builder::from_custom_bytes(
                (u128::from(seed) | u128::from(!seed) << 64).to_be_bytes(),
            )
            .into_uuid(),
            serial: format!("SN-{name}"),
            mac: format!("52:54:00:{:02x}:{b:02x}:{c:02x}", a | 0x80),
            memory: 1024,
            cpu: "Nehalem".into(),
            firmware: Firmware::Uefi,
            netboot: NetBoot::Http,
            tpm: None,
            disks: Vec::new(),
            https_roots: Vec::new(),
            capture: None,
            weather: None,
            ends_on_reboot: false,
            extra: Vec::new(),
        }
    }

    /// With this firmware.
    #[must_use]
    pub fn firmware(mut self, firmware: Firmware) -> Self {
        self.firmware = firmware;
        self
    }

    /// With this network boot.
    #[must_use]
    pub fn netboot(mut self, netboot: NetBoot) -> Self {
        self.netboot = netboot;
        self
    }

    /// With this TPM.
    #[must_use]
    pub fn tpm(mut self, tpm: Tpm) -> Self {
        self.tpm = Some(tpm);
        self
    }

    /// With one more disk.
    #[must_use]
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disks.push(disk);
        self
    }

    /// With firmware that trusts this root for HTTPS boot.
    #[must_use]
    pub fn trust_https(mut self, root: CertificateDer<'static>) -> Self {
        self.https_roots.push(root);
        self
    }

    /// With a cable in this weather; `Running::weather` changes it.
    #[must_use]
    pub fn weather(mut self, weather: Weather) -> Self {
        self.weather = Some(weather);
        self
    }

    /// The file of its firmware variables, there after the first start.
    #[must_use]
    pub fn vars_path(&self) -> PathBuf {
        self.folder.join("vars.fd")
    }

    /// Its serial lines of all power-ons.
    #[must_use]
    pub fn serial_path(&self) -> PathBuf {
        self.folder.join("serial.log")
    }

    /// Its firmware variables as they are now. The guest must be off.
    pub fn vars(&self) -> Result<VarStore, StartError> {
        let path = self.vars_path();
        let bytes = fs::read(&path).map_err(StartError::file(&path))?;
        VarStore::parse(bytes).map_err(|source| StartError::Vars { path, source })
    }

    /// Powers it on. Call it in the thread that will hold the result: QEMU ends with that thread.
    pub fn start(&self, net: &Net) -> Result<Running, StartError> {
        let tap = net.tap().map_err(|source| StartError::Net(self.name.clone(), source))?;
        let (mut wiring, tpm) = self.wire(net, tap.device(), Leash::Short)?;
        let stem = net.run_folder().join(format!("{}.wire", self.name));
        let wire = self.weather.map(|weather| Wire::open(&stem, weather)).transpose();
        let wire = wire.map_err(StartError::file(&stem))?;
        wiring.wire = wire.as_ref().map(|wire| wire.stem().to_owned());
        let serial_path = self.serial_path();
        let mut log = File::options()
            .create(true)
            .append(true)
            .open(&serial_path)
            .map_err(StartError::file(&serial_path))?;
        let _ = io::Write::write_all(&mut log, b"=== power on\n");
        let (reader, writer) = io::pipe().map_err(StartError::Qemu)?;
        let errors = writer.try_clone().map_err(StartError::Qemu)?;
        let mut command = net.command("qemu-system-x86_64");
        command.args(arguments::qemu(self, &wiring));
        command.stdin(Stdio::null()).stdout(writer).stderr(errors);
        let serial = Transcript::new(&self.name);
        let qemu = Owned::new(command.spawn().map_err(StartError::Qemu)?);
        serial.follow(reader, log);
        // `command` still holds this side of the pipe, which would hide the end of QEMU.
        drop(command);
        Ok(Running { name: self.name.clone(), qemu, tpm, serial, tap, qmp: wiring.qmp, wire })
    }

    /// Powers it on so that it outlives this process, its serial line going to `serial.log` as it is. Returns the process
    /// ids of QEMU and, if it has a TPM, of swtpm.
    pub fn start_loose(&self, net: &Net) -> Result<(u32, Option<u32>), StartError> {
        let tap = net.tap().map_err(|source| StartError::Net(self.name.clone(), source))?;
        let (wiring, tpm) = self.wire(net, tap.device(), Leash::Loose)?;
        let path = self.serial_path();
        let log = File::create(&path).map_err(StartError::file(&path))?;
        let errors = log.try_clone().map_err(StartError::file(&path))?;
        let mut command = net.command_on(Leash::Loose, "qemu-system-x86_64");
        command.args(arguments::qemu(self, &wiring));
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        // A group of its own, so that Ctrl-C in the terminal ends the lab's program only.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let qemu = Owned::new(command.spawn().map_err(StartError::Qemu)?);
        let _device = tap.keep();
        Ok((qemu.release(), tpm.map(Owned::release)))
    }

    /// Prepares everything that QEMU is pointed at.
    fn wire(&self, net: &Net, tap: &str, leash: Leash) -> Result<(Wiring, Option<Owned>), StartError> {
        fs::create_dir_all(&self.folder).map_err(StartError::file(&self.folder))?;
        let socket = |kind: &str| net.run_folder().join(format!("{}.{kind}", self.name));
        let (qmp, tpm_socket) = (socket("qmp"), socket("tpm"));
        let swtpm = match &self.tpm {
            None => None,
            Some(tpm) => {
                let started = tpm.start(&tpm_socket, leash);
                Some(started.map_err(|source| StartError::Tpm(self.name.clone(), source))?)
            }
        };
        if self.firmware.code().is_some() && !self.vars_path().exists() {
            self.write_vars()?;
        }
        let cacerts = if self.https_roots.is_empty() { None } else { Some(self.write_cacerts()?) };
        let wiring = Wiring {
            tap: tap.to_owned(),
            qmp,
            tpm: swtpm.is_some().then_some(tpm_socket),
            cacerts,
            wire: None,
        };
        Ok((wiring, swtpm))
    }

    fn write_vars(&self) -> Result<(), StartError> {
        let (blank, path) = (Path::new(Firmware::BLANK_VARS), self.vars_path());
        let mut bytes = fs::read(blank).map_err(StartError::file(blank))?;
        if let Firmware::UefiSecureBoot(keys) = &self.firmware {
            let enrolled = VarStore::parse(bytes).and_then(|mut store| {
                store.enrol(keys);
                store.to_bytes()
            });
            bytes = enrolled.map_err(|source| StartError::Vars { path: path.clone(), source })?;
        }
        fs::write(&path, bytes).map_err(StartError::file(&path))
    }

    fn write_cacerts(&self) -> Result<PathBuf, StartError> {
        let path = self.folder.join("cacerts.esl");
        fs::write(&path, esl::x509_lists(&self.https_roots)).map_err(StartError::file(&path))?;
        Ok(path)
    }
}

/// FNV-1a: the same name gives the same machine on every run.
fn seed(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_make_distinct_and_stable_machines() {
        let [one, again, two] = ["edge-1", "edge-1", "edge-2"].map(|name| Guest::new(name, Path::new("/x")));
        assert_eq!((one.uuid, &one.mac), (again.uuid, &again.mac));
        assert_ne!(one.uuid, two.uuid);
        assert_ne!(one.mac, two.mac);
        // Not the bridge's.
        assert!(one.mac.starts_with("52:54:00:") && one.mac != Net::BRIDGE_MAC);
    }
}
