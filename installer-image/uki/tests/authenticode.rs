//! Digests and signatures, against `sbsign` and `sbverify` where they are installed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod pe_maker;

use std::path::Path;
use std::process::Command;

use cairn_uki::authenticode::{HashError, SignError, VerifyError, digest, measured, sign, verify};
use cairn_uki::{Sha256Digest, uki};
use pe_maker::{image, kernel, parts, stub};
use rsa::RsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey as _;

const CERTIFICATE: &[u8] = include_bytes!("data/db.crt");
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

fn key() -> RsaPrivateKey {
    RsaPrivateKey::from_pkcs8_pem(include_str!("data/db.key.pem")).unwrap()
}

fn sample() -> Vec<u8> {
    uki::build(&parts(&stub(), &kernel())).unwrap()
}

#[test]
fn a_signed_image_verifies_and_signing_is_reproducible() {
    let signed = sign(&sample(), &key(), CERTIFICATE).unwrap();
    assert_eq!(signed, sign(&sample(), &key(), CERTIFICATE).unwrap());
    assert_eq!(verify(&signed, CERTIFICATE).unwrap(), digest(&sample()).unwrap());
}

#[test]
fn the_signature_changes_no_digest() {
    let signed = sign(&sample(), &key(), CERTIFICATE).unwrap();
    assert_eq!(digest(&signed).unwrap(), digest(&sample()).unwrap());
    assert_eq!(measured(&signed).unwrap(), measured(&sample()).unwrap());
}

#[test]
fn a_signer_pads_to_eight_bytes_and_firmware_does_not() {
    let kernel = kernel();
    assert_ne!(kernel.len() % 8, 0);
    assert_ne!(digest(&kernel).unwrap(), measured(&kernel).unwrap());
    let signed = sign(&kernel, &key(), CERTIFICATE).unwrap();
    assert_eq!(digest(&kernel).unwrap(), measured(&signed).unwrap());
}

#[test]
fn the_digest_skips_just_checksum_directory_and_table() {
    let image = sample();
    let without = [&image[..0x58 + 64], &image[0x58 + 68..0x58 + 144], &image[0x58 + 152..]].concat();
    assert_eq!(digest(&image).unwrap(), Sha256Digest::of(&without));
}

#[test]
fn every_changed_byte_that_is_hashed_is_noticed() {
    let signed = sign(&sample(), &key(), CERTIFICATE).unwrap();
    let skipped = |at: usize| (0x58 + 64..0x58 + 68).contains(&at) || (0x58 + 144..0x58 + 152).contains(&at);
    for at in (0..sample().len()).filter(|at| !skipped(*at)) {
        let mut changed = signed.clone();
        changed[at] ^= 1;
        assert!(verify(&changed, CERTIFICATE).is_err(), "byte {at}");
    }
}

#[test]
fn every_changed_byte_of_the_signed_content_is_noticed() {
    let signed = sign(&sample(), &key(), CERTIFICATE).unwrap();
    let table = sample().len()..signed.len();
    let accepted = table.filter(|at| {
        let mut changed = signed.clone();
        changed[*at] ^= 1;
        verify(&changed, CERTIFICATE).is_ok()
    });
    // Not covered by design: the copy of the certificate, versions, the algorithm list, padding.
    let uncovered = accepted.count();
    assert!(uncovered < CERTIFICATE.len() + 64, "{uncovered} bytes of the table can change unnoticed");
}

#[test]
fn another_certificate_is_not_the_signer() {
    let signed = sign(&sample(), &key(), CERTIFICATE).unwrap();
    let mut other = CERTIFICATE.to_vec();
    let serial = other.windows(6).position(|w| w == [0, 0xc0, 0xff, 0xee, 0, 1]).unwrap();
    other[serial + 5] = 2;
    assert!(matches!(verify(&signed, &other), Err(VerifyError::Signer)));
    assert!(matches!(verify(&sample(), CERTIFICATE), Err(VerifyError::Unsigned)));
}

#[test]
fn signing_twice_or_with_another_key_or_no_certificate_is_refused() {
    let signed = sign(&sample(), &key(), CERTIFICATE).unwrap();
    assert!(matches!(sign(&signed, &key(), CERTIFICATE), Err(SignError::Signed)));
    assert!(matches!(sign(&sample(), &key(), b"0"), Err(SignError::Certificate(_))));
    let [p, q] = [1_000_003_u32, 1_000_033].map(rsa::BigUint::from);
    let other = RsaPrivateKey::from_p_q(p, q, 65_537_u32.into()).unwrap();
    assert!(matches!(sign(&sample(), &other, CERTIFICATE), Err(SignError::KeyMismatch)));
}

#[test]
fn images_with_gaps_have_no_digest() {
    let mut gap = image(&[(".a", &[1; 600]), (".b", &[2; 600])]);
    let raw_size_of_a = 0x58 + 240 + 16;
    gap[raw_size_of_a..raw_size_of_a + 4].copy_from_slice(&0x200_u32.to_le_bytes());
    assert_eq!(digest(&gap), Err(HashError::Layout { section: ".b".into() }));
}

#[test]
fn bytes_behind_the_table_are_refused() {
    let mut signed = sign(&sample(), &key(), CERTIFICATE).unwrap();
    signed.extend_from_slice(b"appended");
    assert_eq!(digest(&signed), Err(HashError::CertificateTable));
}

/// Runs a tool of sbsigntool; `None`, loudly, when it is not installed.
fn tool(program: &str, arguments: &[&Path]) -> Option<String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&text));
            Some(String::from_utf8_lossy(&text).into_owned())
        }
        Err(error) => {
            eprintln!("SKIPPED: {program} cannot run ({error}); install sbsigntool");
            None
        }
    }
}

/// The images to compare on: ours, and Debian's stub as another toolchain's.
fn images() -> Vec<Vec<u8>> {
    let debian = std::fs::read("/usr/lib/systemd/boot/efi/linuxx64.efi.stub").ok();
    let uki = debian.as_ref().map(|stub| uki::build(&parts(stub, &kernel())).unwrap());
    [Some(sample()), Some(kernel()), uki].into_iter().flatten().collect()
}

#[test]
fn sbverify_accepts_our_signature() {
    let folder = Folder::new("sbverify");
    for image in images() {
        let signed = folder.write("signed.efi", &sign(&image, &key(), CERTIFICATE).unwrap());
        let certificate = Path::new(DATA).join("db.crt.pem");
        if let Some(said) = tool("sbverify", &["--cert".as_ref(), &certificate, &signed]) {
            assert!(said.contains("Signature verification OK"), "{said}");
        }
    }
}

#[test]
fn we_accept_sbsigns_signature_and_agree_on_the_digest() {
    let folder = Folder::new("sbsign");
    for image in images() {
        let unsigned = folder.write("unsigned.efi", &image);
        let signed = folder.0.join("signed.efi");
        let [key, certificate] = ["db.key.pem", "db.crt.pem"].map(|name| Path::new(DATA).join(name));
        let flags = ["--key", "--cert", "--output"].map(Path::new);
        let arguments = [flags[0], &key, flags[1], &certificate, flags[2], &signed, &unsigned];
        if tool("sbsign", &arguments).is_some() {
            let signed = std::fs::read(&signed).unwrap();
            assert_eq!(verify(&signed, CERTIFICATE).unwrap(), digest(&image).unwrap());
        }
    }
}

/// A folder of this test, removed at its end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cairn-uki-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> std::path::PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
