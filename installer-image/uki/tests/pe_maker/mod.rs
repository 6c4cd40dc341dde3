//! Small PE32+ images for tests: laid out like Debian's stub and kernel, without their code.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "shared by several tests")]
#![allow(dead_code, reason = "each user takes a part")]

use cairn_uki::uki::UkiParts;

const HEADERS: usize = 0x400;
const FILE_ALIGNMENT: usize = 0x200;

/// An EFI application with these sections, one page apart in memory.
pub fn image(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = vec![0; HEADERS];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3c, &0x40_u32.to_le_bytes());
    put(0x40, b"PE\0\0\x64\x86");
    put(0x46, &u16::try_from(sections.len()).unwrap().to_le_bytes());
    put(0x48, &0x5555_5555_u32.to_le_bytes()); // TimeDateStamp
    put(0x54, &240_u16.to_le_bytes());
    let optional = 0x58;
    put(optional, &0x20b_u16.to_le_bytes());
    put(optional + 32, &0x200_u32.to_le_bytes());
    put(optional + 36, &0x200_u32.to_le_bytes());
    put(optional + 60, &0x400_u32.to_le_bytes());
    put(optional + 64, &0x7777_7777_u32.to_le_bytes()); // CheckSum
    put(optional + 68, &10_u16.to_le_bytes());
    put(optional + 108, &16_u32.to_le_bytes());
    let mut body = Vec::new();
    let mut address = 0x1000;
    for (index, (name, data)) in sections.iter().enumerate() {
        let header = optional + 240 + 40 * index;
        let raw = data.len().next_multiple_of(FILE_ALIGNMENT);
        put(header, name.as_bytes());
        let fields = [data.len(), address, raw, HEADERS + body.len()];
        for (field, value) in fields.into_iter().enumerate() {
            put(header + 8 + 4 * field, &u32::try_from(value).unwrap().to_le_bytes());
        }
        body.extend_from_slice(data);
        body.resize(body.len() - data.len() + raw, 0);
        address += raw.next_multiple_of(0x1000).max(0x1000);
    }
    out.extend_from_slice(&body);
    out
}

/// As systemd-stub: `.text`, `.sdmagic`, and symbols behind the sections.
pub fn stub() -> Vec<u8> {
    let magic = b"#### LoaderInfo: systemd-stub 252.39-1~deb12u2 ####\0";
    let mut stub = image(&[(".text", b"stub code"), (".sdmagic", magic)]);
    stub.extend_from_slice(b"COFF symbols that go away");
    stub
}

/// As a kernel whose file length is not a multiple of 8.
pub fn kernel() -> Vec<u8> {
    let mut kernel = image(&[(".setup", &[7; 700]), (".text", &[9; 3000])]);
    kernel.extend_from_slice(b"tail!");
    kernel
}

pub fn parts<'a>(stub: &'a [u8], linux: &'a [u8]) -> UkiParts<'a> {
    UkiParts {
        stub,
        osrel: "ID=test\n",
        cmdline: "console=ttyS0 quiet",
        linux,
        initrd: b"not really an initrd",
        uname: None,
        sbat: None,
    }
}
