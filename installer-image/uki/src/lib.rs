//! Bootable artifacts as bytes: initramfs, UKI, Authenticode, PCR prediction, ESP.
