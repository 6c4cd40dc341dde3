//! How a command's bytes reach a TPM: the kernel's device file, or swtpm's unix socket. Not: what the bytes mean.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// The largest response read: TPM2_PT_MAX_RESPONSE_SIZE is 4,096 on every known TPM.
const MAX_RESPONSE: usize = 4096;
/// tag, size, response code.
const HEADER: usize = 10;

/// One command out, one response in.
pub trait Transport: Send + std::fmt::Debug {
    /// Sends a complete command frame and returns the complete response frame.
    ///
    /// # Errors
    /// Any failure of the device; a response longer than 4,096 bytes is `InvalidData`.
    fn transact(&mut self, command: &[u8]) -> io::Result<Vec<u8>>;
}

/// `/dev/tpmrm0` or `/dev/tpm0`: one `write` is a command, one `read` its response.
#[derive(Debug)]
pub struct Device(File);

impl Device {
    /// Opens a device file.
    ///
    /// # Errors
    /// As `open(2)`.
    pub fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().read(true).write(true).open(path).map(Self)
    }
}

impl Transport for Device {
    fn transact(&mut self, command: &[u8]) -> io::Result<Vec<u8>> {
        self.0.write_all(command)?;
        let mut response = vec![0; MAX_RESPONSE];
        let n = self.0.read(&mut response)?;
        response.truncate(n);
        Ok(response)
    }
}

/// swtpm's `--server type=unixio`: a byte stream, so that the length in the header tells where a response ends.
#[derive(Debug)]
pub struct Socket(UnixStream);

impl Socket {
    /// Connects.
    ///
    /// # Errors
    /// As `connect(2)`.
    pub fn connect(path: &Path) -> io::Result<Self> {
        UnixStream::connect(path).map(Self)
    }
}

impl Transport for Socket {
    fn transact(&mut self, command: &[u8]) -> io::Result<Vec<u8>> {
        self.0.write_all(command)?;
        let mut response = vec![0; HEADER];
        self.0.read_exact(&mut response)?;
        let size = response
            .get(2..6)
            .and_then(|b| b.try_into().ok())
            .map(u32::from_be_bytes)
            .and_then(|n| usize::try_from(n).ok())
            .filter(|n| (HEADER..=MAX_RESPONSE).contains(n))
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "impossible response length"))?;
        response.resize(size, 0);
        self.0.read_exact(response.get_mut(HEADER..).unwrap_or_default())?;
        Ok(response)
    }
}
