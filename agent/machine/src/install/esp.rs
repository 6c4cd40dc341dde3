//! Files of this one host, put onto the ESP that the image brought (FAT).

use std::io::{self, Write};

use super::InstallError;
use crate::disk::Window;

/// A file for the ESP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EspFile {
    /// Such as `cairn/host.json`; folders are made.
    pub path: String,
    /// Contents.
    pub bytes: Vec<u8>,
}

/// Writes the files; one that is there is replaced.
pub(super) fn put(window: Window<'_>, files: &[EspFile]) -> Result<(), InstallError> {
    if files.is_empty() {
        return Ok(());
    }
    let fail = |file: &str| {
        let file = file.to_owned();
        move |source| InstallError::Esp { file, source }
    };
    // FAT's own small reads and writes go through a buffer; the page cache is below it.
    let fat = fatfs::FileSystem::new(window, fatfs::FsOptions::new()).map_err(fail("the file system"))?;
    for file in files {
        write(&fat, file).map_err(fail(&file.path))?;
    }
    fat.unmount().map_err(fail("the file system"))
}

fn write(fat: &fatfs::FileSystem<Window<'_>>, file: &EspFile) -> io::Result<()> {
    let mut folder = fat.root_dir();
    let mut parts = file.path.trim_matches('/').split('/').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_some() {
            folder = folder.create_dir(part)?;
            continue;
        }
        let mut out = folder.create_file(part)?;
        out.truncate()?;
        out.write_all(&file.bytes)?;
        out.flush()?;
    }
    Ok(())
}
