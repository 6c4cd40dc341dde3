//! A client that costs little, so that the servers are measured and not it: one connection, bytes dropped as they come.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

const BUFFER: usize = 256 << 10;

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

struct Head {
    status: u16,
    length: u64,
    location: Option<String>,
    /// Bytes of the body that came with the head.
    early: u64,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        Ok(Self { stream, buffer: vec![0; BUFFER] })
    }

    /// Fetches; how long it took until the last byte.
    pub(crate) fn pull(&mut self, path: &str, size: u64) -> Result<Duration> {
        let start = Instant::now();
        self.send("GET", path, &[])?;
        let head = self.head()?;
        ensure!(
            head.status == 200 && head.length == size,
            "{path}: {} of {} bytes",
            head.status,
            head.length
        );
        self.skip(head.length - head.early)?;
        Ok(start.elapsed())
    }

    /// POST, PATCH with the whole blob, PUT: how the usual clients push; how long it took.
    pub(crate) fn push(&mut self, name: &str, digest: &str, blob: &[u8]) -> Result<Duration> {
        let start = Instant::now();
        let place = self.step("POST", &format!("/v2/{name}/blobs/uploads/"), &[], 202)?;
        let place = self.step("PATCH", &place, blob, 202)?;
        let joint = if place.contains('?') { '&' } else { '?' };
        self.step("PUT", &format!("{place}{joint}digest={digest}"), &[], 201)?;
        Ok(start.elapsed())
    }

    /// One request; where it leads.
    fn step(&mut self, method: &str, path: &str, body: &[u8], expect: u16) -> Result<String> {
        self.send(method, path, body)?;
        let head = self.head()?;
        self.skip(head.length - head.early)?;
        ensure!(head.status == expect, "{method} {path}: {}", head.status);
        let place = head.location.with_context(|| format!("{method} {path} leads nowhere"))?;
        // Docker's registry answers with whole URLs.
        Ok(place.find("/v2/").map_or(place.clone(), |at| place.split_at(at).1.to_owned()))
    }

    fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Result<()> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\nContent-Type: application/octet-stream\r\n\r\n",
            body.len()
        );
        self.stream.write_all(head.as_bytes())?;
        self.stream.write_all(body)?;
        Ok(())
    }

    fn head(&mut self) -> Result<Head> {
        let mut read = 0;
        loop {
            let free = self.buffer.get_mut(read..).unwrap_or_default();
            let got = self.stream.read(free)?;
            if got == 0 {
                bail!("the server closed the connection");
            }
            read += got;
            let bytes = self.buffer.get(..read).unwrap_or_default();
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
                return parsed(&text, u64::try_from(read - end - 4)?);
            }
        }
    }

    fn skip(&mut self, mut left: u64) -> Result<()> {
        while left > 0 {
            let want = usize::try_from(left)?.min(BUFFER);
            let got = self.stream.read(self.buffer.get_mut(..want).unwrap_or_default())?;
            ensure!(got > 0, "the server closed the connection");
            left -= u64::try_from(got)?;
        }
        Ok(())
    }
}

fn parsed(text: &str, early: u64) -> Result<Head> {
    let header = |wanted: &str| {
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        fields
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim().to_owned())
            .next()
    };
    let status = text.split(' ').nth(1).context("no status")?.parse()?;
    let length = header("content-length").map_or(Ok(0), |length| length.parse())?;
    Ok(Head { status, length, location: header("location"), early })
}
