//! QEMU's machine protocol, on its Unix socket: status, power button, end.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

const LIMIT: Duration = Duration::from_secs(5);
const MAX_LINE: u64 = 1 << 20;
const MAX_EVENTS: usize = 1000;

/// Why QEMU did not answer.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// Its socket.
    #[error("QEMU does not answer")]
    Io(#[from] io::Error),
    /// It said no.
    #[error("QEMU refuses: {0}")]
    Refused(String),
}

/// Carries out one command; what it returns.
pub(super) async fn ask(socket: &Path, command: &str) -> Result<Value, QmpError> {
    let asked = tokio::time::timeout(LIMIT, converse(socket, command)).await;
    asked.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}

async fn converse(socket: &Path, command: &str) -> Result<Value, QmpError> {
    let mut stream = BufReader::new(UnixStream::connect(socket).await?);
    line(&mut stream).await?;
    execute(&mut stream, "qmp_capabilities").await?;
    execute(&mut stream, command).await
}

async fn execute(stream: &mut BufReader<UnixStream>, command: &str) -> Result<Value, QmpError> {
    let text = format!("{}\n", json!({"execute": command}));
    stream.write_all(text.as_bytes()).await?;
    for _ in 0..MAX_EVENTS {
        let answer = line(stream).await?;
        if let Some(error) = answer.get("error") {
            return Err(QmpError::Refused(error["desc"].as_str().unwrap_or_default().to_owned()));
        }
        // Events come between.
        if let Some(value) = answer.get("return") {
            return Ok(value.clone());
        }
    }
    Err(QmpError::Refused("nothing but events".to_owned()))
}

async fn line(stream: &mut BufReader<UnixStream>) -> Result<Value, QmpError> {
    let mut text = Vec::new();
    let read = stream.take(MAX_LINE).read_until(b'\n', &mut text).await?;
    if read == 0 {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    serde_json::from_slice(&text).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e).into())
}
