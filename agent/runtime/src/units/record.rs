//! What is kept of a unit for the next agent: which process, under which order. Never its environment.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cairn_contract::Digest;
use serde::{Deserialize, Serialize};

use crate::log::Log;
use crate::process::{self, Process};

/// The largest record that is read.
const MAX: u64 = 4096;

/// One unit's process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Number and start time.
    pub(super) process: Process,
    /// Of the order.
    pub(super) order: Digest,
    /// `Unit::leave_children`.
    pub(super) leave_children: bool,
}

/// Where one unit's things lie.
#[derive(Debug, Clone)]
pub(super) struct Place {
    folder: PathBuf,
    name: String,
}

impl Place {
    pub(super) fn new(folder: &Path, name: &str) -> Self {
        Self { folder: folder.to_owned(), name: name.to_owned() }
    }

    pub(super) fn log(&self) -> Log {
        Log::at(self.folder.join("logs").join(format!("{}.log", self.name)))
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.join("records").join(format!("{}.json", self.name))
    }

    /// In the environment of every process of the unit, also of those whose start no record tells of: an agent that is killed
    /// between start and record finds them by it.
    pub(super) fn mark(&self) -> (&'static str, String) {
        ("CAIRN_UNIT", format!("{}@{}", self.name, self.folder.display()))
    }

    /// The record; none when there is none, or when what is there cannot be read as one.
    pub(super) fn load(&self) -> Option<Record> {
        let path = self.file();
        let fits = fs::metadata(&path).is_ok_and(|m| m.len() <= MAX);
        let text = fits.then(|| fs::read(&path).ok()).flatten()?;
        serde_json::from_slice(&text).ok()
    }

    /// Written beside and renamed: there is always a whole one.
    pub(super) fn save(&self, record: &Record) -> io::Result<()> {
        let path = self.file();
        let new = path.with_extension("new");
        fs::write(&new, serde_json::to_vec(record).unwrap_or_default())?;
        fs::rename(new, path)
    }

    pub(super) fn forget(&self) -> io::Result<()> {
        match fs::remove_file(self.file()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// All processes that are the unit's: of its group, or with its mark.
    pub(super) fn members(&self, first: Option<Process>) -> Vec<Process> {
        let (name, value) = self.mark();
        let mark = format!("{name}={value}");
        let belongs = |p: &Process| first.is_some_and(|f| p.in_group(f.pid)) || p.has_env(&mark);
        process::all().into_iter().filter(belongs).collect()
    }

    /// The unit's first process, as found by its mark and its arguments: the one that started first.
    pub(super) fn find(&self, run: &[String]) -> Option<Process> {
        let (name, value) = self.mark();
        let mark = format!("{name}={value}");
        let same = |p: &Process| p.arguments().iter().map(Vec::as_slice).eq(run.iter().map(String::as_bytes));
        process::all().into_iter().filter(|p| same(p) && p.has_env(&mark)).min_by_key(|p| p.start)
    }
}
