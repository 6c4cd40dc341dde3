//! A private apt: own sources, own lists, an empty status file. Downloads and unpacks; installs nothing.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::source::{Source, render};

/// How old the lists may be before they are fetched again.
const LISTS_STAY_FRESH: Duration = Duration::from_secs(24 * 3600);

/// A package that apt chose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// File name with name, version and architecture, for example `kmod_30_amd64.deb`.
    pub file: String,
    /// The checksum that apt gives for it, with its kind, for example `SHA256:...`.
    pub sum: String,
}

/// Why packages could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A file or folder of the cache could not be used.
    #[error("cannot use {path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program is missing or did not start.
    #[error("cannot run {program}")]
    Run {
        /// The program.
        program: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program ended with an error.
    #[error("{what} failed: {said}")]
    Failed {
        /// What was attempted.
        what: String,
        /// The end of its error output.
        said: String,
    },
}

/// A private apt in its own folder.
#[derive(Debug)]
pub struct Apt {
    dir: PathBuf,
}

impl Apt {
    /// Prepares `dir` for `sources`, and fetches the lists when they are missing or older than a day.
    ///
    /// # Errors
    /// When the folder cannot be written, or no lists can be had.
    pub fn open(dir: &Path, sources: &[Source]) -> Result<Self, FetchError> {
        let apt = Self { dir: dir.to_owned() };
        for sub in ["lists/partial", "archives/partial"] {
            let path = dir.join(sub);
            fs::create_dir_all(&path).map_err(|source| FetchError::Io { path, source })?;
        }
        let wanted = render(sources);
        let path = apt.sources_file();
        let same = fs::read_to_string(&path).is_ok_and(|now| now == wanted);
        apt.write("sources.sources", &wanted, same)?;
        apt.write("status", "", apt.dir.join("status").exists())?;
        let stamp = apt.dir.join("updated");
        let fresh = same && fs::metadata(&stamp).and_then(|m| m.modified()).is_ok_and(is_fresh);
        if !fresh {
            apt.update(&stamp)?;
        }
        Ok(apt)
    }

    /// The deb822 file that this apt reads, for programs that bring their own apt.
    #[must_use]
    pub fn sources_file(&self) -> PathBuf {
        self.dir.join("sources.sources")
    }

    /// All packages that `wanted` brings on an empty system, without recommended ones, sorted.
    ///
    /// # Errors
    /// When apt cannot resolve them.
    pub fn closure(&self, wanted: &[&str]) -> Result<Vec<Package>, FetchError> {
        let mut args = vec!["--print-uris", "-y", "--no-install-recommends", "install"];
        args.extend(wanted);
        let mut found = parse_uris(&self.ask("apt-get", "resolving packages", &args)?);
        found.sort();
        Ok(found)
    }

    /// The chosen version of each package, alone.
    ///
    /// # Errors
    /// When apt does not know one of them.
    pub fn candidates(&self, names: &[&str]) -> Result<Vec<Package>, FetchError> {
        let mut args = vec!["--print-uris", "download"];
        args.extend(names);
        Ok(parse_uris(&self.ask("apt-get", "looking up packages", &args)?))
    }

    /// The newest package that `meta` depends on and whose name starts with `prefix`.
    ///
    /// # Errors
    /// When there is none.
    pub fn dependency(&self, meta: &str, prefix: &str) -> Result<String, FetchError> {
        let out = self.ask("apt-cache", "reading dependencies", &["depends", "--important", meta])?;
        let name =
            out.lines().filter_map(|l| l.trim().strip_prefix("Depends: ")).find(|n| n.starts_with(prefix));
        name.map(str::to_owned).ok_or_else(|| FetchError::Failed {
            what: format!("looking for {prefix}* among the dependencies of {meta}"),
            said: out.clone(),
        })
    }

    /// Downloads the packages (apt checks their sums) and unpacks them into `into`.
    ///
    /// # Errors
    /// When one cannot be fetched or unpacked.
    pub fn unpack(&self, names: &[&str], into: &Path) -> Result<(), FetchError> {
        let debs = into.join(".debs");
        fs::create_dir_all(&debs).map_err(|source| FetchError::Io { path: debs.clone(), source })?;
        let mut args = vec!["-q", "download"];
        args.extend(names);
        let mut download = self.command("apt-get", &args);
        finish("downloading packages", "apt-get", download.current_dir(&debs))?;
        let list = fs::read_dir(&debs).map_err(|source| FetchError::Io { path: debs.clone(), source })?;
        for deb in list.flatten() {
            let mut unpack = Command::new("dpkg-deb");
            finish("unpacking a package", "dpkg-deb", unpack.arg("-x").arg(deb.path()).arg(into))?;
        }
        fs::remove_dir_all(&debs).map_err(|source| FetchError::Io { path: debs, source })
    }

    fn write(&self, name: &str, text: &str, same: bool) -> Result<(), FetchError> {
        let path = self.dir.join(name);
        if same {
            return Ok(());
        }
        fs::write(&path, text).map_err(|source| FetchError::Io { path, source })
    }

    /// Fetches the lists, and forgets what the old ones answered. Lists that are merely old still serve when no
    /// mirror can be reached.
    fn update(&self, stamp: &Path) -> Result<(), FetchError> {
        let done = finish("fetching lists", "apt-get", &mut self.command("apt-get", &["update", "-q"]));
        if done.is_err() && stamp.exists() {
            return Ok(());
        }
        done?;
        let answers = self.dir.join("answers");
        if answers.exists() {
            fs::remove_dir_all(&answers).map_err(|source| FetchError::Io { path: answers, source })?;
        }
        fs::write(stamp, b"").map_err(|source| FetchError::Io { path: stamp.to_owned(), source })
    }

    /// What a program answers from the lists. The same lists give the same answer, so it is kept: apt takes most of
    /// a second to read them.
    fn ask(&self, program: &'static str, what: &str, args: &[&str]) -> Result<String, FetchError> {
        let question = format!("{program} {}", args.join(" "));
        let mut hasher = DefaultHasher::new();
        question.hash(&mut hasher);
        let path = self.dir.join("answers").join(format!("{:016x}", hasher.finish()));
        if let Ok(kept) = fs::read_to_string(&path)
            && let Some((asked, answer)) = kept.split_once('\n')
            && asked == question
        {
            return Ok(answer.to_owned());
        }
        let answer = finish(what, program, &mut self.command(program, args))?;
        let failed = |source| FetchError::Io { path: path.clone(), source };
        fs::create_dir_all(self.dir.join("answers")).map_err(failed)?;
        fs::write(&path, format!("{question}\n{answer}")).map_err(failed)?;
        Ok(answer)
    }

    fn command(&self, program: &'static str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        let dir = self.dir.display();
        for option in [
            format!("Dir::Etc::SourceList={dir}/sources.sources"),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            "Dir::Etc::Preferences=/dev/null".to_owned(),
            "Dir::Etc::PreferencesParts=/dev/null".to_owned(),
            format!("Dir::State::lists={dir}/lists"),
            format!("Dir::State::status={dir}/status"),
            format!("Dir::Cache={dir}"),
            // The cache lies in a home folder that the `_apt` user may not enter.
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        command.args(args).env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive");
        command
    }
}

fn is_fresh(modified: std::time::SystemTime) -> bool {
    modified.elapsed().is_ok_and(|age| age < LISTS_STAY_FRESH)
}

fn finish(what: &str, program: &'static str, command: &mut Command) -> Result<String, FetchError> {
    let out = command.stdin(Stdio::null()).output().map_err(|source| FetchError::Run { program, source })?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&out.stderr);
    let tail: Vec<&str> = said.lines().rev().take(6).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    let what = format!("{what} ({})", OsStr::new(program).to_string_lossy());
    Err(FetchError::Failed { what, said: tail.join("; ") })
}

/// Reads apt's lines `'uri' file size SUM:hex`; apt leaves the sum empty for some archives.
fn parse_uris(text: &str) -> Vec<Package> {
    let line = |line: &str| {
        let rest = line.strip_prefix('\'')?.split_once("' ")?.1;
        let mut words = rest.split_whitespace();
        let file = words.next()?.to_owned();
        let size = words.next()?;
        let sum = words.next().unwrap_or(size).to_owned();
        Some(Package { file, sum })
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apts_uri_lines_are_read_and_others_are_not() {
        let text = "Reading package lists...\n'm:/a_1_amd64.deb' a_1_amd64.deb 1504 SHA256:00be\n'm:/b.deb' b_2_all.deb 7 \n";
        let found = parse_uris(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], Package { file: "a_1_amd64.deb".into(), sum: "SHA256:00be".into() });
        assert_eq!(found[1].sum, "7");
    }
}
