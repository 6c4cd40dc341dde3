//! An archive: whatever comes, nothing is written outside of its folder.
#![no_main]

use cairn_node::place::unpack;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    std::fs::write(&archive, bytes).expect("written");
    let _ = unpack(&archive, &folder.path().join("within"));
    let beside = std::fs::read_dir(folder.path()).expect("read").count();
    assert!(beside <= 2, "something lies outside");
});
