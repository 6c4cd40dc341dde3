//! The TCG event log as the kernel shows it. Bytes only: `cairn-evidence` reads and replays them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Where securityfs shows the first TPM's log.
pub const BINARY_LOG: &str = "/sys/kernel/security/tpm0/binary_bios_measurements";
/// More than any firmware writes, and small enough for one evidence message.
const MAX: u64 = 384 * 1024;

/// Reads the log; empty when this boot has none (a TPM that the firmware does not know).
///
/// securityfs must be mounted ([`crate::start::mount_basics`]).
///
/// # Errors
/// As `read(2)`; `InvalidData` when the log is longer than 384 KiB.
pub fn read() -> io::Result<Vec<u8>> {
    read_from(Path::new(BINARY_LOG))
}

fn read_from(path: &Path) -> io::Result<Vec<u8>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut log = Vec::new();
    // seq_file shows no size, so the bound is on what is read.
    if file.take(MAX + 1).read_to_end(&mut log)? as u64 > MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "event log is longer than 384 KiB"));
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_log_is_empty_and_a_huge_one_is_refused() {
        assert!(read_from(Path::new("/nonexistent/log")).unwrap().is_empty());
        assert_eq!(read_from(Path::new("/dev/zero")).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
