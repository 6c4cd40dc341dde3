//! What a built UKI looks like, and which stubs, kernels and parts are refused.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod pe_maker;

use cairn_uki::authenticode;
use cairn_uki::pe::{Image, Section};
use cairn_uki::uki::{BuildError, UkiParts, build};
use pe_maker::{image, kernel, parts, stub};

fn uki() -> Vec<u8> {
    build(&parts(&stub(), &kernel())).unwrap()
}

#[test]
fn the_same_parts_give_the_same_bytes_without_time_or_checksum() {
    let uki = uki();
    assert_eq!(uki, self::uki());
    assert_eq!(uki[0x48..0x54], [0; 12], "TimeDateStamp and symbol table");
    assert_eq!(uki[0x58 + 64..0x58 + 68], [0; 4], "CheckSum");
}

#[test]
fn sections_hold_their_parts_and_the_kernel_is_last() {
    let (uki, kernel) = (uki(), kernel());
    let image = Image::parse(&uki).unwrap();
    let names: Vec<_> = image.sections().iter().map(Section::label).collect();
    assert_eq!(names, [".text", ".sdmagic", ".osrel", ".cmdline", ".initrd", ".linux"]);
    let data = |name: &str| image.data(image.section(name).unwrap().unwrap()).unwrap();
    assert_eq!(data(".osrel"), b"ID=test\n");
    assert_eq!(data(".cmdline"), b"console=ttyS0 quiet");
    assert_eq!(data(".initrd"), b"not really an initrd");
    assert_eq!(data(".linux"), kernel);
}

#[test]
fn sections_do_not_overlap_in_file_or_memory() {
    let uki = uki();
    let image = Image::parse(&uki).unwrap();
    let size_of_image = u32::from_le_bytes(uki[0x58 + 56..0x58 + 60].try_into().unwrap());
    for pair in image.sections().windows(2) {
        assert!(pair[0].virtual_address + pair[0].virtual_size <= pair[1].virtual_address, "{pair:?}");
        assert_eq!(pair[0].raw_offset + pair[0].raw_size, pair[1].raw_offset, "{pair:?}");
    }
    let last = image.sections().last().unwrap();
    assert!(image.sections()[2..].iter().all(|s| s.virtual_address % 4096 == 0));
    assert!((last.virtual_address + last.virtual_size..).contains(&size_of_image));
    assert_eq!(size_of_image % 0x200, 0);
    assert_eq!((last.raw_offset + last.raw_size) as usize, uki.len());
}

#[test]
fn optional_sections_come_before_the_initrd() {
    let (stub, kernel) = (stub(), kernel());
    let uki =
        build(&UkiParts { uname: Some("6.1.0"), sbat: Some("sbat,1,x\n"), ..parts(&stub, &kernel) }).unwrap();
    let image = Image::parse(&uki).unwrap();
    let names: Vec<_> = image.sections()[2..].iter().map(Section::label).collect();
    assert_eq!(names, [".osrel", ".cmdline", ".uname", ".sbat", ".initrd", ".linux"]);
}

#[test]
fn debians_stub_is_extended() {
    let path = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";
    let Ok(stub) = std::fs::read(path) else {
        eprintln!("SKIPPED: no {path} (package systemd-boot-efi)");
        return;
    };
    let uki = build(&parts(&stub, &kernel())).unwrap();
    assert_eq!(Image::parse(&uki).unwrap().sections().len(), 12);
    authenticode::digest(&uki).unwrap();
    let twice = UkiParts { sbat: Some("sbat,1,x\n"), ..parts(&stub, &uki) };
    assert!(matches!(build(&twice), Err(BuildError::SectionPresent { section: ".sbat" })));
}

#[track_caller]
fn refused(stub: &[u8], linux: &[u8], expected: &str) {
    let error = build(&parts(stub, linux)).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn unfit_stubs_and_kernels_are_refused() {
    refused(b"MZ", &kernel(), "the stub cannot be read");
    refused(&stub(), b"not a kernel", "the kernel cannot be read");
    let with = |at: usize, bytes: &[u8]| {
        let mut stub = stub();
        stub[at..at + bytes.len()].copy_from_slice(bytes);
        stub
    };
    refused(&with(0x44, &[0x64, 0xaa]), &kernel(), "stub is for machine 0xaa64, kernel for 0x8664");
    refused(&with(0x58 + 68, &[3]), &kernel(), "the stub cannot be extended: not an EFI application");
    refused(&with(0x58 + 36, &[3]), &kernel(), "the stub cannot be extended: odd alignment");
    let second_raw_offset = 0x58 + 240 + 40 + 20;
    let gap = "the stub cannot be extended: its sections have gaps or overlap";
    refused(&with(second_raw_offset, &0x400_u32.to_le_bytes()), &kernel(), gap);
    let full = image(&[(".a", b"a".as_slice()); 14]);
    refused(&full, &kernel(), "the stub's headers have room for 3 more sections, 4 are needed");
    refused(&image(&[(".initrd", b"x")]), &kernel(), "the stub has a .initrd section already");
}

#[test]
fn empty_parts_and_odd_command_lines_are_refused() {
    let (stub, kernel) = (stub(), kernel());
    let good = parts(&stub, &kernel);
    let check = |parts: UkiParts<'_>, expected: &str| {
        assert_eq!(build(&parts).unwrap_err().to_string(), expected);
    };
    check(UkiParts { initrd: b"", ..good }, ".initrd is empty");
    check(UkiParts { osrel: "", ..good }, ".osrel is empty");
    check(UkiParts { cmdline: "quiet\0init=/bin/sh", ..good }, "the command line is not printable ASCII");
    check(UkiParts { cmdline: "größe", ..good }, "the command line is not printable ASCII");
}
