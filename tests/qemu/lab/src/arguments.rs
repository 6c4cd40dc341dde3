//! QEMU's command line for a guest. Pure: decides nothing that is not in `Guest` or `Wiring`, except the accelerator.

use std::path::{Path, PathBuf};

use crate::disk::{Bus, Disk};
use crate::firmware::{Firmware, NetBoot};
use crate::guest::Guest;
use crate::wire;

/// What a guest is connected to for one power-on.
#[derive(Debug, Clone)]
pub(crate) struct Wiring {
    pub(crate) tap: String,
    pub(crate) qmp: PathBuf,
    pub(crate) tpm: Option<PathBuf>,
    pub(crate) cacerts: Option<PathBuf>,
    /// Where the sockets of its `Wire` are, if it has one.
    pub(crate) wire: Option<PathBuf>,
}

/// Name of the NIC's backend, for `set_link`.
pub(crate) const NIC: &str = "net0";

/// The arguments after `qemu-system-x86_64`.
pub(crate) fn qemu(guest: &Guest, wiring: &Wiring) -> Vec<String> {
    let accelerator = std::env::var("CAIRN_LAB_ACCEL").ok();
    let mut words = machine(guest, accelerator.as_deref());
    words.extend(firmware(guest));
    words.extend(network(guest, wiring));
    words.extend(tpm(wiring));
    if guest.disks.iter().any(|disk| disk.bus == Bus::UsbStick) {
        words.extend(pair("-device", "qemu-xhci"));
    }
    guest.disks.iter().enumerate().for_each(|(index, disk)| words.extend(self::disk(index, disk)));
    words.extend(guest.extra.iter().cloned());
    words
}

fn machine(guest: &Guest, accelerator: Option<&str>) -> Vec<String> {
    let machine = match guest.firmware {
        Firmware::Uefi => "q35",
        Firmware::UefiSecureBoot(_) => "q35,smm=on",
        // Without graphics SeaBIOS and iPXE write to the serial line.
        Firmware::Bios => "q35,graphics=off",
    };
    // /dev/kvm may open and still be unable to run a stock kernel: never chosen by its presence.
    let (accelerator, cpu) = match accelerator {
        None | Some("" | "tcg") => ("tcg,thread=multi,tb-size=256", guest.cpu.as_str()),
        Some(other) => (other, "host"),
    };
    let identity = format!("type=1,manufacturer=Cairn,product=Lab host,serial={}", escaped(&guest.serial));
    let mut words = [
        ["-name", &escaped(&guest.name)],
        ["-machine", machine],
        ["-accel", accelerator],
        ["-cpu", cpu],
        ["-smp", "1"],
        ["-m", &guest.memory.to_string()],
        ["-display", "none"],
        ["-chardev", "stdio,id=serial0,signal=off"],
        ["-serial", "chardev:serial0"],
        ["-uuid", &guest.uuid.to_string()],
        ["-smbios", &identity],
        ["-rtc", "base=utc"],
        // EDK2's network wants a source of randomness.
        ["-device", "virtio-rng-pci"],
    ]
    .concat()
    .into_iter()
    .map(str::to_owned)
    .collect::<Vec<_>>();
    words.extend(["-nodefaults", "-no-user-config"].map(str::to_owned));
    if guest.ends_on_reboot {
        words.push("-no-reboot".into());
    }
    words
}

fn firmware(guest: &Guest) -> Vec<String> {
    let Some(code) = guest.firmware.code() else { return Vec::new() };
    let flash = |unit, file: &Path, more: &str| {
        format!("if=pflash,format=raw,unit={unit}{more},file={}", shown(file))
    };
    let mut words = pair("-drive", flash(0, code, ",readonly=on"));
    words.extend(pair("-drive", flash(1, &guest.vars_path(), "")));
    words.extend(pair("-global", "ICH9-LPC.disable_s3=1"));
    if matches!(guest.firmware, Firmware::UefiSecureBoot(_)) {
        words.extend(pair("-global", "driver=cfi.pflash01,property=secure,value=on"));
    }
    if guest.netboot != NetBoot::Pxe {
        for protocol in ["IPv4", "IPv6"] {
            words.extend(pair("-fw_cfg", format!("name=opt/org.tianocore/{protocol}PXESupport,string=n")));
        }
    }
    words
}

fn network(guest: &Guest, wiring: &Wiring) -> Vec<String> {
    let mut words = pair("-qmp", format!("unix:{},server=on,wait=off", shown(&wiring.qmp)));
    // Frames that pass through the lab carry no header of the host's kernel.
    let plain = if wiring.wire.is_some() { ",vnet_hdr=off" } else { "" };
    words.extend(pair(
        "-netdev",
        format!("tap,id={NIC},ifname={},script=no,downscript=no{plain}", wiring.tap),
    ));
    let mut nic = format!("virtio-net-pci,netdev={NIC},mac={}", guest.mac);
    if guest.netboot != NetBoot::Off {
        nic.push_str(",bootindex=2");
    }
    if guest.firmware.code().is_some() {
        // EDK2's own driver instead of iPXE's.
        nic.push_str(",romfile=");
    }
    words.extend(pair("-device", nic));
    wiring.wire.iter().for_each(|stem| words.extend(detour(stem)));
    if let Some(path) = &guest.capture {
        words.extend(pair("-object", format!("filter-dump,id=capture0,netdev={NIC},file={}", shown(path))));
    }
    if let Some(path) = &wiring.cacerts {
        words.extend(pair("-fw_cfg", format!("name=etc/edk2/https/cacerts,file={}", shown(path))));
    }
    words
}

/// Sends both ways of the NIC through the lab's sockets.
fn detour(stem: &Path) -> Vec<String> {
    let mut words = Vec::new();
    for way in wire::WAYS {
        for side in ["out", "in"] {
            let path = wire::socket(stem, way, side);
            words.extend(pair("-chardev", format!("socket,id={way}-{side},path={}", shown(&path))));
        }
        let filter = format!(
            "filter-redirector,id=wire-{way},netdev={NIC},queue={way},outdev={way}-out,indev={way}-in"
        );
        words.extend(pair("-object", filter));
    }
    words
}

fn tpm(wiring: &Wiring) -> Vec<String> {
    let Some(socket) = &wiring.tpm else { return Vec::new() };
    [
        pair("-chardev", format!("socket,id=tpmsock,path={}", shown(socket))),
        pair("-tpmdev", "emulator,id=tpm0,chardev=tpmsock"),
        pair("-device", "tpm-crb,tpmdev=tpm0"),
    ]
    .concat()
}

fn disk(index: usize, disk: &Disk) -> Vec<String> {
    let (file, node, serial) = (format!("file{index}"), format!("disk{index}"), escaped(&disk.serial));
    let boot = disk.boot_index.map(|place| format!(",bootindex={place}")).unwrap_or_default();
    let device = match disk.bus {
        Bus::Virtio => "virtio-blk-pci,discard=on,write-zeroes=on",
        Bus::Nvme => "nvme",
        Bus::UsbStick => "usb-storage,removable=on",
    };
    // The host does not lose power: its page cache is safe enough, and flushes are slow.
    let backing = format!(
        "driver=file,filename={},node-name={file},discard=unmap,cache.no-flush=on",
        shown(&disk.path)
    );
    [
        pair("-blockdev", backing),
        pair("-blockdev", format!("driver=raw,file={file},node-name={node},discard=unmap")),
        pair("-device", format!("{device},drive={node},serial={serial}{boot}")),
    ]
    .concat()
}

fn pair(flag: &str, value: impl Into<String>) -> Vec<String> {
    vec![flag.to_owned(), value.into()]
}

/// QEMU reads a comma as the end of a value unless it is doubled.
fn escaped(value: &str) -> String {
    value.replace(',', ",,")
}

fn shown(path: &Path) -> String {
    escaped(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::SecureBootKeys;
    use rustls_pki_types::CertificateDer;

    fn wiring() -> Wiring {
        Wiring { tap: "t3".into(), qmp: "/run/q".into(), tpm: None, cacerts: None, wire: None }
    }

    fn line(guest: &Guest, wiring: &Wiring) -> String {
        qemu(guest, wiring).join(" ")
    }

    fn guest() -> Guest {
        Guest::new("edge-1", Path::new("/g"))
    }

    #[test]
    fn uefi_http_boot_skips_pxe_and_has_its_own_driver() {
        let line = line(&guest(), &wiring());
        assert!(line.contains("IPv4PXESupport,string=n"), "{line}");
        assert!(line.contains(",bootindex=2,romfile="), "{line}");
        assert!(line.contains("unit=1,file=/g/vars.fd") && line.contains("ifname=t3,"), "{line}");
        assert!(line.contains("-nodefaults") && !line.contains("smm=on") && !line.contains("tpm"), "{line}");
    }

    #[test]
    fn secure_boot_needs_smm_and_a_protected_flash() {
        let none = CertificateDer::from(Vec::new());
        let keys = SecureBootKeys { pk: none.clone(), kek: none, db: Vec::new() };
        let line = line(&guest().firmware(Firmware::UefiSecureBoot(Box::new(keys))), &wiring());
        assert!(line.contains("q35,smm=on") && line.contains("property=secure,value=on"), "{line}");
        assert!(line.contains("OVMF_CODE_4M.secboot.fd"), "{line}");
    }

    #[test]
    fn bios_keeps_the_nics_rom_and_has_no_flash() {
        let line = line(&guest().firmware(Firmware::Bios).netboot(NetBoot::Pxe), &wiring());
        assert!(!line.contains("pflash") && !line.contains("romfile") && !line.contains("fw_cfg"), "{line}");
    }

    #[test]
    fn a_host_without_netboot_still_has_a_nic() {
        let line = line(&guest().netboot(NetBoot::Off), &wiring());
        assert!(line.contains("virtio-net-pci") && !line.contains("bootindex"), "{line}");
    }

    #[test]
    fn disks_carry_bus_serial_and_order() {
        let file = std::env::temp_dir().join(format!("cairn-lab-args-{}.raw", std::process::id()));
        let disk = Disk::create(&file, 4096).unwrap().serial("S,1");
        let line = line(
            &guest()
                .disk(disk.clone().bus(Bus::Nvme))
                .disk(disk.clone().bus(Bus::UsbStick).boot_index(3))
                .disk(disk.data_only()),
            &wiring(),
        );
        std::fs::remove_file(file).unwrap();
        assert!(line.contains("nvme,drive=disk0,serial=S,,1,bootindex=1"), "{line}");
        assert!(
            line.contains("-device qemu-xhci")
                && line.contains("removable=on,drive=disk1,serial=S,,1,bootindex=3")
        );
        assert!(line.ends_with("drive=disk2,serial=S,,1"), "{line}");
    }

    #[test]
    fn another_accelerator_is_asked_for_never_guessed() {
        assert!(machine(&guest(), None).contains(&"tcg,thread=multi,tb-size=256".to_owned()));
        let asked = machine(&guest(), Some("kvm"));
        assert!(asked.contains(&"kvm".to_owned()) && asked.contains(&"host".to_owned()));
    }

    #[test]
    fn a_wire_takes_both_ways_through_the_lab() {
        let line = line(&guest(), &Wiring { wire: Some("/run/w".into()), ..wiring() });
        assert!(
            line.contains("path=/run/w.rx-out") && line.contains("queue=tx,outdev=tx-out,indev=tx-in"),
            "{line}"
        );
        assert!(line.contains("vnet_hdr=off"), "{line}");
    }

    #[test]
    fn tpm_and_https_roots_are_wired() {
        let wiring = Wiring { tpm: Some("/run/t".into()), cacerts: Some("/g/c.esl".into()), ..wiring() };
        let line = line(&guest(), &wiring);
        assert!(
            line.contains("socket,id=tpmsock,path=/run/t") && line.contains("tpm-crb,tpmdev=tpm0"),
            "{line}"
        );
        assert!(line.contains("etc/edk2/https/cacerts,file=/g/c.esl"), "{line}");
    }
}
