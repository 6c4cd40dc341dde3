//! Bootable artifacts as bytes: initramfs, UKI, Authenticode, PCR prediction, ESP, signature lists.
//!
//! Pure: bytes in, bytes out. No files, network, clock or randomness; the same input gives the same bytes.
//! Not here: fetching kernels, making keys, checking evidence. Callers: the image recipes of `xtask`, and the
//! provisioner, which composes and signs an installer for its site.
//!
//! ```text
//!  cpio::Archive --> initramfs::compress / join --+
//!  stub, osrel, cmdline, kernel -------------------> uki::build --> authenticode::sign --> predict::from_uki
//!                                                                        |
//!  esl::encode (db, KEK, PK, TLS CA list)           esp::build <---------+
//! ```
//!
//! | call | gives |
//! |---|---|
//! | `cpio::Archive::{new, dir, file, symlink, device, finish}` | a `newc` archive |
//! | `initramfs::{compress, join}` | one zstd frame of an archive; members one after the other |
//! | `uki::build(&UkiParts)` | an unsigned UKI |
//! | `authenticode::{digest, measured, sign, verify}` | SHA-256 digest, signed PE |
//! | `predict::from_uki(&[u8])` | `BootPrediction`: PCR 4 and PCR 11 |
//! | `esp::build(&[(path, bytes)], size_mib, volume_id)` | a FAT32 image |
//! | `esl::encode(owner, &[cert])` | `EFI_SIGNATURE_LIST`s of X.509 certificates |

pub mod authenticode;
pub mod cpio;
mod der;
mod digest;
pub mod esl;
pub mod esp;
pub mod initramfs;
pub mod pe;
pub mod predict;
pub mod uki;

pub use digest::{DigestError, Sha256Digest};
