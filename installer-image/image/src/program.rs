//! Runs the programs of the build machine: `depmod`, `modinfo`, `mkfs.erofs`, `mmdebstrap`, `tar`.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use crate::SOURCE_DATE_EPOCH;
use crate::error::BuildError;

/// Runs a program to its end without input and gives what it printed. Locale, time zone and build time are fixed.
pub(crate) fn run<S: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = S>,
) -> Result<String, BuildError> {
    let out = Command::new(program)
        .args(args)
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH.to_string())
        .stdin(Stdio::null())
        .output()
        .map_err(|source| BuildError::Start { program: program.to_owned(), source })?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        let tail: Vec<&str> = said.lines().rev().take(8).collect();
        let said = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
        return Err(BuildError::Failed { program: program.to_owned(), said });
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}
