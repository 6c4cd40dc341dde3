//! Partition tables of foreign disks.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(cairn_machine::gpt::parse(bytes)));
