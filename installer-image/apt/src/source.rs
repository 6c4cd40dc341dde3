//! What the machine's apt sources say, and sources derived from them. Not an editor of /etc/apt.

use std::fmt::Write as _;
use std::io;
use std::process::{Command, Stdio};

/// Debian's own archive key, present on every Debian system (package debian-archive-keyring).
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// One suite of one mirror with its components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The repository's address as the machine's own sources give it.
    pub uri: String,
    /// The suite, for example `bookworm-updates`.
    pub suite: String,
    /// The components, for example `main`.
    pub components: Vec<String>,
}

impl Source {
    /// The same mirror's other suite.
    #[must_use]
    pub fn with_suite(&self, suite: &str) -> Self {
        Self { suite: suite.to_owned(), ..self.clone() }
    }

    /// The same suite with another component besides.
    #[must_use]
    pub fn with_component(&self, component: &str) -> Self {
        let mut out = self.clone();
        if !out.components.iter().any(|c| c == component) {
            out.components.push(component.to_owned());
        }
        out
    }
}

/// Why the machine's sources could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// apt-get is missing or failed to start.
    #[error("cannot run apt-get")]
    Run(#[source] io::Error),
    /// apt-get ended with an error.
    #[error("apt-get failed: {0}")]
    Failed(String),
}

/// The machine's sources of Debian itself: component `main` of any suite whose origin is Debian or not yet known.
///
/// apt tells of a source only when it has its lists, so a machine without any fetches them first.
///
/// # Errors
/// When apt-get cannot be run or fails.
pub fn machine_sources() -> Result<Vec<Source>, SourceError> {
    let known = targets()?;
    if !known.is_empty() {
        return Ok(known);
    }
    apt_get(&["update", "-q"])?;
    targets()
}

fn targets() -> Result<Vec<Source>, SourceError> {
    let format = "$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(COMPONENT)|$(ORIGIN)";
    Ok(parse_targets(&apt_get(&["indextargets", "--format", format, "Identifier: Packages"])?))
}

fn apt_get(args: &[&str]) -> Result<String, SourceError> {
    let out = Command::new("apt-get").args(args).stdin(Stdio::null()).output().map_err(SourceError::Run)?;
    if !out.status.success() {
        return Err(SourceError::Failed(String::from_utf8_lossy(&out.stderr).trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Reads lines `uri|release|codename|component|origin`; a field apt does not know keeps its `$(NAME)`.
#[must_use]
pub fn parse_targets(text: &str) -> Vec<Source> {
    let mut out: Vec<Source> = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let [uri, release, codename, component, origin] = fields.as_slice() else { continue };
        let known = |field: &str| !field.starts_with("$(") && !field.is_empty();
        // Another vendor's repository may call its suite `bookworm` too.
        let debians = !known(origin) || matches!(*origin, "Debian" | "Debian Backports");
        if *component != "main" || !debians {
            continue;
        }
        // A machine may follow `stable`; the codename says what that is.
        let suite = if known(codename) { codename } else { release };
        let found = Source {
            uri: (*uri).to_owned(),
            suite: (*suite).to_owned(),
            components: vec!["main".to_owned()],
        };
        if !out.contains(&found) {
            out.push(found);
        }
    }
    out
}

/// The sources as a deb822 file.
#[must_use]
pub fn render(sources: &[Source]) -> String {
    let mut out = String::new();
    for source in sources {
        let components = source.components.join(" ");
        let _ = writeln!(
            out,
            "Types: deb\nURIs: {}\nSuites: {}\nComponents: {components}\nSigned-By: {KEYRING}\n",
            source.uri, source.suite
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: &str = "\
mirror:/debian/|bookworm|bookworm|main|Debian
mirror:/debian/|bookworm|bookworm|non-free|Debian
mirror:/debian/|bookworm-updates|$(CODENAME)|main|$(ORIGIN)
mirror:/vendor/|bookworm|bookworm|main|Vendor
mirror:/debian/|stable|bookworm|main|Debian
short|line
";

    #[test]
    fn only_debians_own_main_is_taken_and_once() {
        let found = parse_targets(TARGETS);
        let suites: Vec<_> = found.iter().map(|s| (s.uri.as_str(), s.suite.as_str())).collect();
        assert_eq!(suites, [("mirror:/debian/", "bookworm"), ("mirror:/debian/", "bookworm-updates")]);
    }

    #[test]
    fn a_derived_source_keeps_the_mirror() {
        let base = &parse_targets(TARGETS)[0];
        let text = render(&[base.with_suite("bookworm-backports").with_component("non-free-firmware")]);
        assert!(text.contains(
            "URIs: mirror:/debian/\nSuites: bookworm-backports\nComponents: main non-free-firmware\n"
        ));
    }
}
