//! The medium of the boot check: a UKI of Debian's cloud kernel and an initrd that prints the event log and the PCRs
//! on the serial console. Used by the example `boot_check`, which writes it, and by the test that compares.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "shared by path between an example and tests")]
#![allow(dead_code, reason = "each user takes a part")]

use cairn_uki::cpio::{Archive, Device, DeviceKind};
use cairn_uki::{initramfs, uki};

pub const STUB: &str = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";
pub const BUSYBOX: &str = "/usr/bin/busybox";
pub const OSREL: &str = "ID=cairn\nNAME=\"Cairn boot check\"\nVERSION_ID=1\n";
pub const CMDLINE: &str =
    "console=ttyS0 quiet mitigations=off tsc=reliable random.trust_cpu=on nokaslr no_timer_check";
/// Where the medium keeps the UKI: the path that firmware tries by itself.
pub const BOOT_PATH: &str = "EFI/BOOT/BOOTX64.EFI";

const INIT: &str = "#!/bin/busybox sh
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t securityfs sec /sys/kernel/security
/bin/busybox cat /site
echo CAIRN-LOG-BEGIN
/bin/busybox base64 /sys/kernel/security/tpm0/binary_bios_measurements
echo CAIRN-LOG-END
for i in 0 1 2 3 4 5 6 7 8 9 11 12; do echo CAIRN-PCR $i $(/bin/busybox cat /sys/class/tpm/tpm0/pcr-sha256/$i); done
echo CAIRN-DONE
/bin/busybox poweroff -f
";

/// Base and site member, both as zstd frames, and a third in plain cpio: all three kinds of joint.
pub fn initrd(busybox: &[u8]) -> Vec<u8> {
    let mut base = Archive::new();
    base.file("bin/busybox", 0o755, busybox).unwrap();
    base.file("init", 0o755, INIT).unwrap();
    base.dir("sys", 0o555).unwrap();
    let console = Device { kind: DeviceKind::Character, major: 5, minor: 1 };
    base.device("dev/console", 0o600, console).unwrap();
    base.symlink("site", "etc/site").unwrap();
    let mut first = Archive::new();
    first.file("etc/site", 0o644, "overwritten\n").unwrap();
    let mut second = Archive::new();
    second.file("etc/site", 0o644, "CAIRN-SITE plain member\n").unwrap();
    let members = [base, first].map(|a| initramfs::compress(&a.finish().unwrap(), 10).unwrap());
    initramfs::join(&[&members[0], &members[1], &second.finish().unwrap()])
}

pub fn uki(stub: &[u8], linux: &[u8], busybox: &[u8]) -> Result<Vec<u8>, uki::BuildError> {
    let initrd = initrd(busybox);
    let parts = uki::UkiParts {
        stub,
        osrel: OSREL,
        cmdline: CMDLINE,
        linux,
        initrd: &initrd,
        uname: None,
        sbat: None,
    };
    uki::build(&parts)
}

pub fn signed(uki: &[u8]) -> Vec<u8> {
    use rsa::pkcs8::DecodePrivateKey as _;
    let key = rsa::RsaPrivateKey::from_pkcs8_pem(include_str!("../data/db.key.pem")).unwrap();
    let certificate = include_bytes!("../data/db.crt");
    cairn_uki::authenticode::sign(uki, &key, certificate).unwrap()
}
