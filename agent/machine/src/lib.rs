//! This machine's hands: TPM, disks, NICs, EFI variables, slots.
