//! cloud-init's NoCloud seed: a FAT file system labelled CIDATA with `meta-data` and `user-data`.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions, format_volume};

/// The smallest that holds the largest user data with room.
const BYTES: u64 = 4 << 20;
/// Largest user data.
pub(super) const MAX_USER_DATA: usize = 1 << 20;

/// Writes it at `path`, which must lie in memory: user data holds secrets. Only its owner reads it.
pub(super) fn write(path: &Path, instance: &str, user_data: &str) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    file.set_len(BYTES)?;
    format_volume(&mut file, FormatVolumeOptions::new().volume_label(*b"CIDATA     "))?;
    let files = FileSystem::new(&mut file, FsOptions::new())?;
    let root = files.root_dir();
    let meta = format!("instance-id: {instance}\nlocal-hostname: {instance}\n");
    root.create_file("meta-data")?.write_all(meta.as_bytes())?;
    root.create_file("user-data")?.write_all(user_data.as_bytes())?;
    drop(root);
    files.unmount()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn the_seed_holds_what_cloud_init_looks_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed.img");
        write(&path, "web-1", "#cloud-config\n").unwrap();
        write(&path, "web-1", "#cloud-config\n{}\n").unwrap();
        let mut file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let files = FileSystem::new(&mut file, FsOptions::new()).unwrap();
        assert_eq!(files.volume_label(), "CIDATA");
        let mut text = String::new();
        files.root_dir().open_file("user-data").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "#cloud-config\n{}\n");
    }
}
