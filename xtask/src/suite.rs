//! `cargo xtask test`: the steps in order, each timed, and a closing summary. CI reads the last line.
//!
//! Steps that look at the sources all run, so that one push shows all faults. Bundles and scenarios
//! run only when those passed, because they take minutes.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::build::{Made, Workshop};
use crate::command::Program;
use crate::host_tools::{self, Install, Purpose};
use crate::interpreters;
use crate::kube;
use crate::tidy;

/// What became of one step.
#[derive(Debug)]
struct Outcome {
    name: &'static str,
    took: Duration,
    failure: Option<String>,
}

/// The steps so far.
#[derive(Debug, Default)]
struct Suite {
    outcomes: Vec<Outcome>,
}

/// Everything; `words` are for the scenarios.
pub(crate) fn all(workshop: &Workshop, words: &[&str], install: Install) -> Result<()> {
    host_tools::ensure(Purpose::Lab, install)?;
    let mut suite = Suite::default();
    suite.sources(workshop, install);
    if suite.passed() {
        suite.scenarios(workshop, words);
    }
    suite.close()
}

/// Only what looks at the sources, and `cargo test`.
pub(crate) fn fast(workshop: &Workshop, install: Install) -> Result<()> {
    host_tools::ensure(Purpose::Sources, install)?;
    let mut suite = Suite::default();
    suite.sources(workshop, install);
    suite.close()
}

/// Only some scenarios.
pub(crate) fn only(workshop: &Workshop, names: &[String], install: Install) -> Result<()> {
    host_tools::ensure(Purpose::Lab, install)?;
    let mut suite = Suite::default();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    suite.scenarios(workshop, &names);
    suite.close()
}

impl Suite {
    fn sources(&mut self, workshop: &Workshop, install: Install) {
        self.step("format", || {
            Program::cargo().args(["fmt", "--all", "--check"]).within(workshop.root()).run()
        });
        self.step("tidy", || tidy::run(workshop.root()));
        let lint = ["--workspace", "--all-targets", "--", "-D", "warnings"];
        self.step("clippy", || workshop.cargo("clippy").args(lint).run());
        self.step("kubernetes", || kube::build(workshop, install));
        self.step("unit tests", || unit_tests(workshop, install));
        self.step("guide", || workshop.api_tests()?.arg("guide").run());
        self.step("schema", || schema(workshop));
    }

    /// Each part is built once; a later part runs only when the earlier ones are there.
    fn scenarios(&mut self, workshop: &Workshop, words: &[&str]) {
        let mut made: Option<Made> = None;
        self.step("build and bundles", || {
            made = Some(workshop.everything()?);
            Ok(())
        });
        if let Some(made) = made {
            self.step("scenarios", || made.scenarios("run").args(words).run());
        }
    }

    fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let failure = work().err().map(|error| format!("{error:#}"));
        if let Some(why) = &failure {
            eprintln!("{name}: {why}");
        }
        self.outcomes.push(Outcome { name, took: start.elapsed(), failure });
    }

    fn passed(&self) -> bool {
        self.outcomes.iter().all(|o| o.failure.is_none())
    }

    fn close(&self) -> Result<()> {
        eprintln!("\n== summary");
        let failed = self.outcomes.iter().filter(|o| o.failure.is_some()).count();
        for Outcome { name, took, failure } in &self.outcomes {
            let seconds = took.as_secs_f64();
            match failure {
                None => eprintln!("  passed {seconds:8.1} s  {name}"),
                Some(why) => eprintln!("  FAILED {seconds:8.1} s  {name}: {why}"),
            }
        }
        eprintln!("{} passed, {failed} failed", self.outcomes.len() - failed);
        if failed > 0 {
            let names: Vec<_> =
                self.outcomes.iter().filter(|o| o.failure.is_some()).map(|o| o.name).collect();
            bail!("failed: {}", names.join(", "));
        }
        Ok(())
    }
}

/// cargo-nextest where it is installed, else cargo's own runner. Some tests start a Node.js.
fn unit_tests(workshop: &Workshop, install: Install) -> Result<()> {
    let path = interpreters::path_with_node(install)?;
    let nextest = Program::cargo().args(["nextest", "--version"]).output().is_ok();
    if nextest {
        let run = ["nextest", "run", "--locked", "--workspace"];
        return Program::cargo().args(run).within(workshop.root()).env("PATH", path).run();
    }
    workshop.cargo("test").arg("--workspace").env("PATH", path).run()
}

/// schemathesis against the served OpenAPI document.
pub(crate) fn schema(workshop: &Workshop) -> Result<()> {
    let python = interpreters::python(&workshop.python_requirements())?;
    workshop.api_tests()?.arg("schema").env("CAIRN_PYTHON", python).run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_fails_the_suite_and_is_named() {
        let mut suite = Suite::default();
        suite.step("good", || Ok(()));
        assert!(suite.close().is_ok());
        suite.step("bad", || bail!("reason"));
        assert!(!suite.passed());
        assert_eq!(suite.close().unwrap_err().to_string(), "failed: bad");
    }
}
