//! An EFI system partition as bytes: one FAT32 file system holding the given files.
//!
//! Not a disk: no GPT around it. Times are 1980-01-01, files are laid down in the order of their paths, so the same
//! files give the same bytes. Callers: the image recipes and the lab (a partition, or a whole removable medium).

use std::collections::BTreeMap;
use std::io::{self, Cursor, Write as _};

use fatfs::{
    Date, DateTime, Dir, FatType, FileSystem, FormatVolumeOptions, FsOptions, ReadWriteSeek, Time,
    TimeProvider, format_volume,
};

/// FAT32 has at least 65525 clusters; below 34 MiB there are fewer, and firmware reads the volume as FAT16.
pub const MIN_MIB: u32 = 34;
/// The image is made in memory.
pub const MAX_MIB: u32 = 2048;
const LABEL: [u8; 11] = *b"ESP        ";
/// From here on mkfs.vfat takes clusters of 4 KiB, below of one sector.
const LARGE_MIB: u32 = 260;
/// Also keeps the recursion of directories short.
const MAX_DEPTH: usize = 16;

/// Why an image cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum EspError {
    /// Outside `MIN_MIB..=MAX_MIB`.
    #[error("{mib} MiB is not between 34 and 2048")]
    Size {
        /// As given.
        mib: u32,
    },
    /// Empty, `.` or `..` parts, a character that FAT refuses, or too deep.
    #[error("bad path {path:?} on the ESP")]
    Path {
        /// As given.
        path: String,
    },
    /// FAT does not tell upper from lower case.
    #[error("{path:?} is on the ESP already")]
    Duplicate {
        /// As given.
        path: String,
    },
    /// Usually: no space left.
    #[error("cannot write {path:?} to an ESP of {mib} MiB")]
    Write {
        /// The file, or empty for the file system itself.
        path: String,
        /// The image's size.
        mib: u32,
        /// From fatfs.
        #[source]
        source: io::Error,
    },
}

/// A FAT32 image of `size_mib` MiB with these files; directories are made as needed. Paths use `/`, with or without
/// one in front. `volume_id` is the serial number that shows as `XXXX-XXXX`.
///
/// # Errors
/// A size or path that FAT32 or the limits here refuse, or no space.
pub fn build(files: &[(&str, &[u8])], size_mib: u32, volume_id: u32) -> Result<Vec<u8>, EspError> {
    if !(MIN_MIB..=MAX_MIB).contains(&size_mib) {
        return Err(EspError::Size { mib: size_mib });
    }
    let files = sorted(files)?;
    let failed = |path: &str| {
        let path = path.to_owned();
        move |source| EspError::Write { path, mib: size_mib, source }
    };
    let mut image = vec![0; size_mib as usize * 1024 * 1024];
    let cluster = if size_mib < LARGE_MIB { 512 } else { 4096 };
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .bytes_per_cluster(cluster)
        .volume_id(volume_id)
        .volume_label(LABEL);
    format_volume(Cursor::new(image.as_mut_slice()), options).map_err(failed(""))?;
    {
        let options = FsOptions::new().time_provider(&Epoch);
        let volume = FileSystem::new(Cursor::new(image.as_mut_slice()), options).map_err(failed(""))?;
        for (path, data) in files.values() {
            write(&volume.root_dir(), path, data).map_err(failed(path))?;
        }
        volume.stats().map_err(failed(""))?; // counts free clusters, so that unmount writes them to FSInfo
        volume.unmount().map_err(failed(""))?;
    }
    Ok(image)
}

type Files<'a> = BTreeMap<String, (&'a str, &'a [u8])>;

/// By lower-case path, the way FAT compares.
fn sorted<'a>(files: &[(&'a str, &'a [u8])]) -> Result<Files<'a>, EspError> {
    let mut sorted = Files::new();
    for (given, data) in files {
        let path = given.strip_prefix('/').unwrap_or(given);
        if path.split('/').count() > MAX_DEPTH || !path.split('/').all(good_name) {
            return Err(EspError::Path { path: (*given).into() });
        }
        if sorted.insert(path.to_lowercase(), (path, *data)).is_some() {
            return Err(EspError::Duplicate { path: (*given).into() });
        }
    }
    Ok(sorted)
}

/// What a long name may hold: printable ASCII without FAT's special characters, no dot or space at the end.
fn good_name(name: &str) -> bool {
    let good = |b: u8| (b' '..=b'~').contains(&b) && !b"\"*:<>?\\|/".contains(&b);
    !name.is_empty()
        && name.len() < 256
        && name.bytes().all(good)
        && !name.ends_with(['.', ' '])
        && !name.starts_with(' ')
}

fn write<T: ReadWriteSeek>(dir: &Dir<'_, T>, path: &str, data: &[u8]) -> io::Result<()> {
    match path.split_once('/') {
        Some((parent, rest)) => write(&dir.create_dir(parent)?, rest, data),
        None => {
            let mut file = dir.create_file(path)?;
            file.write_all(data)?;
            file.flush()
        }
    }
}

/// The clock of the file system: it stands at FAT's first day.
#[derive(Debug)]
struct Epoch;

const DAY: Date = Date { year: 1980, month: 1, day: 1 };

impl TimeProvider for Epoch {
    fn get_current_date(&self) -> Date {
        DAY
    }

    fn get_current_date_time(&self) -> DateTime {
        DateTime { date: DAY, time: Time { hour: 0, min: 0, sec: 0, millis: 0 } }
    }
}
