//! Any bytes as the first line of a stream: reading returns, and what is read is written and read again as the same.
//! Run: `cargo +nightly fuzz run line`.
#![no_main]

use cairn_tunnel::line;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _an_agent_may_have_sent_it = line::read_opened(bytes);
    let Ok(open) = line::read_open(bytes) else { return };
    // JSON may have been shorter than we write it.
    let Ok(line) = line::write(&open) else { return };
    let again = line::read_open(line.strip_suffix(b"\n").expect("a line ends so"));
    assert_eq!(again.expect("our own line is readable"), open);
});
