//! Virtual bare-metal hosts with firmware, TPM and disks.
