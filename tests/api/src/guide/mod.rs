//! The guide, executed: each chapter of docs/guide is read as a script, its commands are run in an empty folder, and what
//! they print is compared with what the chapter says. How chapters are written is in docs/guide/README.md.
//!
//! ```text
//! chapter.md -document-> parts -script-> words, input -session-> output -pattern-> same? | -diff-> what differs
//!                                                                                 -bless-> chapter.md
//! ```

mod bless;
mod diff;
mod document;
mod pattern;
mod script;
mod session;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use bless::Blessing;
use document::{Chapter, Exchange, Part};
use session::Session;

/// What happens with output that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is shown, and the guide is wrong.
    Compare,
    /// It is written into the chapter.
    Bless,
}

/// Runs the chapters whose names begin with one of `names`, or all; true when all is as they say.
pub(crate) fn run(root: &Path, cairn: &Path, names: &[String], outcome: Outcome) -> Result<bool> {
    let mut whole = true;
    for path in chapters(&root.join("docs/guide"), names)? {
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {shown}"))?;
        let chapter = Chapter::parse(&text).with_context(|| format!("cannot understand {shown}"))?;
        let mut blessing = Blessing::new(&text);
        let wrong = play(&chapter, Session::open(root, cairn)?, &shown, (&mut blessing, outcome))?;
        if outcome == Outcome::Bless && wrong > 0 {
            std::fs::write(&path, blessing.text()).with_context(|| format!("cannot write {shown}"))?;
            eprintln!("{shown}: {wrong} outputs written");
        } else {
            eprintln!("{shown}: {} commands, {wrong} differ", chapter.commands());
            whole &= wrong == 0;
        }
    }
    Ok(whole)
}

fn chapters(folder: &Path, names: &[String]) -> Result<Vec<PathBuf>> {
    let listed = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let stem = |path: &PathBuf| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let wanted = |path: &PathBuf| {
        let stem = stem(path);
        path.extension().is_some_and(|e| e == "md")
            && stem != "README"
            && (names.is_empty() || names.iter().any(|name| stem.starts_with(name.as_str())))
    };
    let mut found: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).filter(wanted).collect();
    found.sort();
    if found.is_empty() {
        bail!("there is no such chapter in {}", folder.display());
    }
    Ok(found)
}

/// Runs one chapter; counts the commands that printed something else.
fn play(
    chapter: &Chapter,
    mut session: Session,
    shown: &str,
    (blessing, outcome): (&mut Blessing, Outcome),
) -> Result<usize> {
    let mut wrong = 0;
    for part in &chapter.parts {
        match part {
            Part::File { name, text, line } => {
                session.write(name, text).with_context(|| format!("{shown}:{line}"))?;
            }
            Part::Exchange(exchange) => {
                wrong += usize::from(!say(exchange, &mut session, shown, (&mut *blessing, outcome))?);
            }
        }
    }
    session.close();
    Ok(wrong)
}

/// Runs one command; true when it printed what it should.
fn say(
    exchange: &Exchange,
    session: &mut Session,
    shown: &str,
    (blessing, outcome): (&mut Blessing, Outcome),
) -> Result<bool> {
    let at = || format!("{shown}:{}: $ {}", exchange.line, exchange.command);
    let actual = session.run(exchange).with_context(at)?;
    let actual: Vec<&str> = actual.lines().collect();
    // While writing, three dots alone stand for what is not known yet.
    let unwritten = outcome == Outcome::Bless && exchange.expected == [pattern::ANY];
    if !unwritten && pattern::matches(&exchange.expected, &actual, session.names()) {
        return Ok(true);
    }
    let said = diff::unified(&exchange.expected, &actual, session.names());
    eprintln!("{}\n{said}", at());
    let expected = if unwritten { &[][..] } else { &exchange.expected };
    let fresh = bless::lines(expected, &actual, session.names());
    // Names are bound although the output was not the expected one: later commands need them.
    pattern::matches(&fresh, &actual, session.names());
    blessing.replace(exchange, &fresh);
    Ok(false)
}
