//! Shell completion: commands and flags from the command line's own description, kinds, and names from the server.
//!
//! The scripts call `cairn __complete`, which answers one candidate a line. Whatever goes wrong (no server, no login) gives
//! fewer candidates and no message: a person is in the middle of typing.

mod names;
mod script;

pub(crate) use names::{
    clusters, contexts, deployments, hosts, kinds, namespaces, secrets, sites, templates, tokens, users,
    words,
};
pub(crate) use script::script;

use clap::CommandFactory as _;

use crate::{Context, args::Complete, exit::Failure};

/// Candidates of one answer.
const MAX: usize = 500;

/// `cairn __complete`
pub(crate) async fn run(cx: &mut Context, args: Complete) -> Result<(), Failure> {
    let program = cx.program.take().unwrap_or_else(crate::Cli::command);
    let environment = cx.environment.clone();
    // The completers block: they run away from the runtime that a completer itself may need.
    let found = tokio::task::spawn_blocking(move || candidates(program, args, &environment)).await;
    let lines = found.unwrap_or_default().join("\n");
    if lines.is_empty() { Ok(()) } else { cx.line(&lines) }
}

fn candidates(mut program: clap::Command, args: Complete, environment: &crate::Environment) -> Vec<String> {
    names::typing(&args.words, args.index, environment);
    let here = std::env::current_dir().ok();
    let found = clap_complete::engine::complete(&mut program, args.words, args.index, here.as_deref());
    let shown = found.unwrap_or_default().into_iter().filter(|c| !c.is_hide_set());
    let shown = shown.filter_map(|c| c.get_value().to_str().map(str::to_owned));
    // A file or server may name things so that a shell would run them.
    shown.filter(|text| !text.chars().any(|c| c.is_control())).take(MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(line: &str) -> Vec<String> {
        let words: Vec<std::ffi::OsString> = line.split(' ').map(Into::into).collect();
        let args = Complete { index: words.len() - 1, words };
        candidates(crate::Cli::command(), args, &crate::Environment::default())
    }

    #[test]
    fn commands_kinds_and_flags_are_completed() {
        assert!(complete("cairn de").contains(&"delete".to_owned()));
        assert!(!complete("cairn ").contains(&"__complete".to_owned()));
        assert_eq!(complete("cairn get hos"), ["hosts"]);
        assert!(complete("cairn get hosts --sel").contains(&"--selector".to_owned()));
        assert_eq!(complete("cairn completion z"), ["zsh"]);
        assert!(complete("cairn --data /nowhere describe site/n").is_empty());
    }
}
