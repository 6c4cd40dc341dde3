//! Bounded log files: programs append to one file, which is copied to `<name>.1` and emptied when it is full.
//!
//! Not a collector: what matters is that a program that outlives the agent goes on writing, and that the disk does not fill. So
//! programs write to the file itself (`O_APPEND`), not through a pipe of the agent's. What is written in the instant between the
//! last copy and the emptying is lost; while no agent runs, nothing bounds the file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of one file; there are two.
pub const FILE_BYTES: u64 = 4 << 20;
/// How often a log is looked at.
pub const LOOK: Duration = Duration::from_secs(2);
/// How soon a follower sees what was written.
const FOLLOW: Duration = Duration::from_millis(200);
const CHUNK: usize = 64 << 10;

/// A log: the file that is written, and beside it `<name>.1`, what was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    path: PathBuf,
    limit: u64,
}

impl Log {
    /// The log at `path`, of two files of [`FILE_BYTES`]. Nothing is made yet.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), limit: FILE_BYTES }
    }

    /// The same with another size of each file.
    #[must_use]
    pub fn limited(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// The file that is written.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it to append, made with its folder when it is not there. Only its owner reads it.
    ///
    /// # Errors
    /// As `open(2)`.
    pub fn open(&self) -> io::Result<File> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)
    }

    /// Turns it over when it is full.
    ///
    /// # Errors
    /// As `read(2)` and `write(2)`; it is emptied even when the copy failed, because a full disk stays full otherwise.
    pub fn bound(&self) -> io::Result<()> {
        let length = fs::metadata(&self.path).map(|m| m.len()).unwrap_or(0);
        if length <= self.limit {
            return Ok(());
        }
        let mut from = OpenOptions::new().read(true).write(true).open(&self.path)?;
        let copied = self.keep(&mut from, length);
        from.set_len(0)?;
        copied
    }

    /// The last `limit` bytes become the earlier file.
    fn keep(&self, from: &mut File, length: u64) -> io::Result<()> {
        let earlier = self.earlier();
        let _was = fs::remove_file(&earlier);
        from.seek(SeekFrom::Start(length.saturating_sub(self.limit)))?;
        let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&earlier)?;
        io::copy(&mut from.take(self.limit + (1 << 20)), &mut to).map(drop)
    }

    fn earlier(&self) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".1");
        name.into()
    }

    /// The last `lines` lines; an unfinished one counts. A log that is not there is empty.
    ///
    /// # Errors
    /// As `read(2)`.
    pub fn tail(&self, lines: u32) -> io::Result<Vec<u8>> {
        Ok(self.tail_and_place(lines)?.0)
    }

    fn tail_and_place(&self, lines: u32) -> io::Result<(Vec<u8>, Place)> {
        let (mut bytes, place) = read_bounded(&self.path, self.limit)?;
        if count_lines(&bytes) < u64::from(lines) {
            let (mut all, _) = read_bounded(&self.earlier(), self.limit)?;
            all.append(&mut bytes);
            bytes = all;
        }
        Ok((last_lines(&bytes, lines).to_vec(), place))
    }

    /// Writes the last `lines` lines to `out`, then what comes, until `out` is closed.
    ///
    /// # Errors
    /// As `read(2)`, or those of `out`.
    pub async fn follow(
        &self,
        lines: u32,
        out: &mut (impl tokio::io::AsyncWrite + Unpin + Send),
    ) -> io::Result<()> {
        use tokio::io::AsyncWriteExt as _;
        let (tail, mut place) = self.tail_and_place(lines)?;
        out.write_all(&tail).await?;
        out.flush().await?;
        let mut tick = tokio::time::interval(FOLLOW);
        loop {
            tick.tick().await;
            let more = read_on(&self.path, &mut place)?;
            if !more.is_empty() {
                out.write_all(&more).await?;
                out.flush().await?;
            }
        }
    }

    /// Writes a line of the supervisor's own into it. Best effort: a full disk does not stop a unit.
    pub(crate) fn note(&self, text: &str) {
        let written = self.open().and_then(|mut file| writeln!(file, "cairn: {text}"));
        if let Err(error) = written {
            tracing::debug!(path = %self.path.display(), %error, "cannot write to a log");
        }
    }

    /// Removes both files.
    ///
    /// # Errors
    /// As `unlink(2)`, but not that there is none.
    pub fn remove(&self) -> io::Result<()> {
        for path in [self.path.clone(), self.earlier()] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Where a follower is.
#[derive(Debug, Default)]
struct Place {
    file: u64,
    at: u64,
}

/// The last `limit` bytes, and where they end.
fn read_bounded(path: &Path, limit: u64) -> io::Result<(Vec<u8>, Place)> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), Place::default())),
        other => other?,
    };
    let data = file.metadata()?;
    let start = file.seek(SeekFrom::Start(data.len().saturating_sub(limit)))?;
    let mut bytes = Vec::new();
    let read = file.take(limit).read_to_end(&mut bytes)?;
    Ok((bytes, Place { file: data.ino(), at: start + read as u64 }))
}

/// What was written since `place`; from the beginning again when the file was emptied or is another one.
fn read_on(path: &Path, place: &mut Place) -> io::Result<Vec<u8>> {
    let Ok(mut file) = File::open(path) else { return Ok(Vec::new()) };
    let data = file.metadata()?;
    if data.ino() != place.file || data.len() < place.at {
        *place = Place { file: data.ino(), at: 0 };
    }
    file.seek(SeekFrom::Start(place.at))?;
    let mut bytes = Vec::new();
    let read = file.take(CHUNK as u64).read_to_end(&mut bytes)?;
    place.at += read as u64;
    Ok(bytes)
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|b| **b == b'\n').count() as u64
}

fn last_lines(bytes: &[u8], lines: u32) -> &[u8] {
    if lines == 0 {
        return &[];
    }
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let mut ends = body.iter().enumerate().rev().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
    let start = ends.nth(lines as usize - 1).unwrap_or(0);
    bytes.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_end_where_the_log_ends() {
        assert_eq!(last_lines(b"a\nb\nc\n", 2), b"b\nc\n");
        assert_eq!(last_lines(b"a\nb\nc", 1), b"c");
        assert_eq!(last_lines(b"a\n", 9), b"a\n");
        assert_eq!((last_lines(b"", 3), last_lines(b"a\n", 0)), (&b""[..], &b""[..]));
    }

    #[test]
    fn a_full_log_turns_over_and_its_writer_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::at(folder.path().join("deep/x.log")).limited(100);
        let mut writer = log.open().unwrap();
        for round in 0..30 {
            writeln!(writer, "line {round} of some length").unwrap();
            log.bound().unwrap();
        }
        let both: u64 =
            [log.path.clone(), log.earlier()].iter().map(|p| fs::metadata(p).unwrap().len()).sum();
        assert!(both <= 230, "{both}");
        let tail = String::from_utf8(log.tail(3).unwrap()).unwrap();
        let expected: String = (27..30).map(|n| format!("line {n} of some length\n")).collect();
        assert_eq!(tail, expected);
        log.remove().unwrap();
        assert_eq!(fs::read_dir(folder.path().join("deep")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_follower_sees_the_tail_and_what_comes_also_over_a_turn() {
        use tokio::io::AsyncReadExt as _;
        let folder = tempfile::tempdir().unwrap();
        let log = Log::at(folder.path().join("x.log")).limited(10);
        let mut writer = log.open().unwrap();
        writer.write_all(b"one\ntwo\n").unwrap();
        let (mut near, mut far) = tokio::io::duplex(1000);
        let following = log.clone();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { following.follow(1, &mut near).await });
        let mut seen = [0; 4];
        far.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"two\n");
        writer.write_all(b"three\n").unwrap();
        let mut seen = [0; 6];
        far.read_exact(&mut seen).await.unwrap();
        log.bound().unwrap();
        writer.write_all(b"four\n").unwrap();
        let mut seen = [0; 5];
        far.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"four\n");
    }
}
