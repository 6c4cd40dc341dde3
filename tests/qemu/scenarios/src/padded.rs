//! A tiny image that takes a while to write: the same system with incompressible bytes behind its root file system.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::built;

/// Bytes behind the root.
const PADDING: usize = 128 << 20;
const ROOT_MIB: u32 = 192;

/// Writes the bundle and returns its path.
pub(crate) fn bundle(folder: &Path) -> Result<PathBuf> {
    let tiny = built::bundles()?.into_iter().find(|p| p.to_string_lossy().contains("os-tiny"));
    let tiny = tiny.context("no tiny image among the bundles")?;
    let path = folder.join("os-tiny-padded.cairn");
    let mut from = tar::Archive::new(File::open(&tiny)?);
    let mut to = tar::Builder::new(File::create(&path)?);
    for entry in from.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        match name.to_str() {
            Some("image.json") => bytes = larger(&bytes)?,
            Some("root.erofs") => bytes.extend(noise(PADDING)),
            _ => {}
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        to.append_data(&mut header, &name, bytes.as_slice())?;
    }
    to.into_inner()?.sync_all()?;
    Ok(path)
}

fn larger(description: &[u8]) -> Result<Vec<u8>> {
    let mut json: serde_json::Value = serde_json::from_slice(description)?;
    json["root_mib"] = ROOT_MIB.into();
    Ok(serde_json::to_vec(&json)?)
}

/// Bytes that do not compress, the same each time (xorshift64*).
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let word = std::iter::repeat_with(move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes()
    });
    word.flatten().take(len).collect()
}
