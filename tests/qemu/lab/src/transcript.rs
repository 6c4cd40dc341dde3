//! What a guest or a server has said so far: lines stamped with the time since power-on, shared between the thread that
//! reads them and the story that waits for one.

use std::collections::VecDeque;
use std::fmt;
use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use regex::Regex;

use crate::patience::Stage;
use crate::serial::Splitter;

/// Lines kept; older ones are in the file only.
const KEPT: usize = 50_000;
/// Lines that an error quotes.
const TAIL: usize = 30;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Since power-on (guest) or start (server).
    pub at: Duration,
    /// Without escape sequences or line end.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{:8.2}] {}", self.at.as_secs_f64(), self.text)
    }
}

/// Why a stage did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The pattern is not a regular expression.
    #[error("bad pattern for stage \"{stage}\"")]
    Pattern {
        /// The stage.
        stage: &'static str,
        /// What is wrong with it.
        #[source]
        source: regex::Error,
    },
    /// Nothing matched in time.
    #[error("{who}: stage \"{stage}\" not reached in {} s: no line matched /{pattern}/; last lines:\n{}", .waited.as_secs(), quoted(.tail))]
    Late {
        /// The guest or server.
        who: String,
        /// The stage.
        stage: &'static str,
        /// What was waited for.
        pattern: String,
        /// How long.
        waited: Duration,
        /// The last lines.
        tail: Vec<Line>,
    },
    /// The process ended before anything matched.
    #[error("{who}: ended in stage \"{stage}\" before any line matched /{pattern}/; last lines:\n{}", quoted(.tail))]
    Ended {
        /// The guest or server.
        who: String,
        /// The stage.
        stage: &'static str,
        /// What was waited for.
        pattern: String,
        /// The last lines.
        tail: Vec<Line>,
    },
}

fn quoted(lines: &[Line]) -> String {
    if lines.is_empty() {
        return "    (none)".to_owned();
    }
    lines.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

#[derive(Debug, Default)]
struct Book {
    splitter: Splitter,
    lines: VecDeque<Line>,
    /// Number of lines dropped from the front: turns a position into an index.
    dropped: usize,
    /// Position of the first line that no wait has passed yet.
    unread: usize,
    ended: bool,
}

impl Book {
    fn add(&mut self, line: Line) {
        if self.lines.len() == KEPT {
            self.lines.pop_front();
            self.dropped += 1;
        }
        self.lines.push_back(line);
    }

    fn find(&self, from: usize, pattern: &Regex) -> Option<usize> {
        let skip = from.saturating_sub(self.dropped);
        let found = self.lines.iter().skip(skip).position(|line| pattern.is_match(&line.text))?;
        Some(self.dropped + skip + found)
    }

    fn line(&self, position: usize) -> Option<Line> {
        self.lines.get(position.checked_sub(self.dropped)?).cloned()
    }

    fn tail(&self, count: usize) -> Vec<Line> {
        self.lines.iter().skip(self.lines.len().saturating_sub(count)).cloned().collect()
    }
}

/// A shared, growing list of lines. Clones see the same one.
#[derive(Debug, Clone)]
pub struct Transcript {
    who: String,
    since: Instant,
    shared: Arc<(Mutex<Book>, Condvar)>,
}

impl Transcript {
    /// An empty one; its clock starts now.
    #[must_use]
    pub fn new(who: impl Into<String>) -> Self {
        Self { who: who.into(), since: Instant::now(), shared: Arc::default() }
    }

    /// Time since the clock started.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Reads `source` to its end in a thread of its own, copying each stamped line to `copy`.
    pub(crate) fn follow(
        &self,
        mut source: impl Read + Send + 'static,
        mut copy: impl Write + Send + 'static,
    ) {
        let transcript = self.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            let mut copied = 0;
            loop {
                let count = source.read(&mut buffer).unwrap_or(0);
                match count {
                    0 => transcript.end(),
                    _ => transcript.push(buffer.get(..count).unwrap_or_default()),
                }
                for line in transcript.after(&mut copied) {
                    // A full disk must not stop the story: the lines are in memory too.
                    let _ = writeln!(copy, "{line}");
                }
                if count == 0 {
                    return;
                }
            }
        });
    }

    /// Adds bytes as they came from the terminal.
    pub(crate) fn push(&self, bytes: &[u8]) {
        let at = self.since.elapsed();
        let mut book = self.book();
        for text in book.splitter.push(bytes) {
            book.add(Line { at, text });
        }
        self.shared.1.notify_all();
    }

    /// Marks the end of the stream and completes its last line.
    pub(crate) fn end(&self) {
        let at = self.since.elapsed();
        let mut book = self.book();
        if let Some(text) = book.splitter.flush() {
            book.add(Line { at, text });
        }
        book.ended = true;
        self.shared.1.notify_all();
    }

    /// The lines from position `from` on; moves `from` behind them.
    fn after(&self, from: &mut usize) -> Vec<Line> {
        let book = self.book();
        let lines = book.lines.iter().skip(from.saturating_sub(book.dropped)).cloned().collect();
        *from = book.dropped + book.lines.len();
        lines
    }

    /// Waits for a line that matches the regular expression `pattern`, searching after the line that the last wait
    /// returned. A prompt without a line end counts as a line.
    pub fn wait_for(&self, pattern: &str, stage: Stage) -> Result<Line, StageError> {
        let regex =
            Regex::new(pattern).map_err(|source| StageError::Pattern { stage: stage.name, source })?;
        let deadline = stage.deadline();
        let since = Instant::now();
        let mut book = self.book();
        let mut from = book.unread;
        loop {
            if book.find(from, &regex).is_none() && regex.is_match(&book.splitter.partial()) {
                let at = self.since.elapsed();
                if let Some(text) = book.splitter.flush() {
                    book.add(Line { at, text });
                }
            }
            if let Some(position) = book.find(from, &regex) {
                book.unread = position + 1;
                return Ok(book.line(position).expect("the position was just found under the same lock"));
            }
            from = book.dropped + book.lines.len();
            if book.ended {
                let tail = book.tail(TAIL);
                return Err(StageError::Ended {
                    who: self.who.clone(),
                    stage: stage.name,
                    pattern: pattern.into(),
                    tail,
                });
            }
            let waited = since.elapsed();
            let Some(left) = deadline.checked_sub(waited) else {
                let tail = book.tail(TAIL);
                let (who, pattern) = (self.who.clone(), pattern.into());
                return Err(StageError::Late { who, stage: stage.name, pattern, waited, tail });
            };
            book = self.shared.1.wait_timeout(book, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Every line so far that matches; none if `pattern` is not a regular expression.
    #[must_use]
    pub fn matching(&self, pattern: &str) -> Vec<Line> {
        let Ok(regex) = Regex::new(pattern) else { return Vec::new() };
        self.book().lines.iter().filter(|line| regex.is_match(&line.text)).cloned().collect()
    }

    /// The last `count` lines.
    #[must_use]
    pub fn tail(&self, count: usize) -> Vec<Line> {
        self.book().tail(count)
    }

    /// Whether the stream has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.book().ended
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // A panic under the lock leaves at worst a missing line.
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Stage = Stage::new("soon", 1.0);

    #[test]
    fn waits_go_forward_and_see_the_second_boot() {
        let said = Transcript::new("g");
        said.push(b"boot\nup\nboot\nup\n");
        said.wait_for("^up", SOON).unwrap();
        said.wait_for("^boot", SOON).unwrap();
        assert_eq!(said.book().unread, 3);
        assert_eq!(said.matching("boot").len(), 2);
    }

    #[test]
    fn a_wait_is_woken_by_the_reader() {
        let said = Transcript::new("g");
        let (reader, writer) = std::io::pipe().unwrap();
        said.follow(reader, std::io::sink());
        let wait = {
            let said = said.clone();
            std::thread::spawn(move || said.wait_for("re.dy", SOON))
        };
        {
            let mut writer = writer;
            writer.write_all(b"not yet\nready> ").unwrap();
            wait.join().unwrap().unwrap();
        }
        assert_eq!(said.tail(1).first().map(|line| line.text.as_str()), Some("ready>"));
    }

    #[test]
    fn the_end_of_the_process_ends_the_wait_and_quotes_it() {
        let said = Transcript::new("edge-1");
        said.push(b"Kernel panic\n");
        said.end();
        let text = said.wait_for("up", SOON).unwrap_err().to_string();
        assert!(
            text.starts_with("edge-1: ended in stage \"soon\"") && text.contains("Kernel panic"),
            "{text}"
        );
    }

    #[test]
    fn an_error_quotes_thirty_lines_at_most() {
        let said = Transcript::new("g");
        (0..100).for_each(|n| said.push(format!("line {n}\n").as_bytes()));
        said.end();
        let text = said.wait_for("never", SOON).unwrap_err().to_string();
        assert!(text.contains("line 70\n") && !text.contains("line 69\n"), "{text}");
    }
}
