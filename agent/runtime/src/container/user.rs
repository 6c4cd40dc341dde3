//! Whom an image's process runs as: numbers, or names in its own `/etc/passwd` and `/etc/group`.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::path::Path;

use containerd_client::types::Mount;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

const MAX: u64 = 1 << 20;

/// Numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Numbers if the text has them: `5`, `5:6`; nothing is root.
pub(super) fn numbers(text: &str) -> Option<User> {
    if text.is_empty() {
        return Some(User::default());
    }
    let (user, group) = text.split_once(':').unwrap_or((text, "0"));
    Some(User { uid: user.parse().ok()?, gid: group.parse().ok()? })
}

/// Looks names up in the tables.
pub(super) fn look_up(text: &str, passwd: &str, group: &str) -> Option<User> {
    let (user, of_group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let field = |line: &str, n: usize| line.split(':').nth(n).map(str::to_owned);
    let entry = passwd.lines().find(|l| field(l, 0).as_deref() == Some(user));
    let uid = user.parse().ok().or_else(|| field(entry?, 2)?.parse().ok())?;
    let gid = match of_group {
        None => entry.and_then(|e| field(e, 3)?.parse().ok()).unwrap_or(0),
        Some(name) => {
            let entry = group.lines().find(|l| field(l, 0).as_deref() == Some(name));
            name.parse().ok().or_else(|| field(entry?, 2)?.parse().ok())?
        }
    };
    Some(User { uid, gid })
}

/// Mounts the image's files at `at` for a moment and reads its tables. Links are followed within the image only.
pub(super) fn tables(mounts: &[Mount], at: &Path) -> std::io::Result<(String, String)> {
    fs::create_dir_all(at)?;
    for one in mounts {
        let options: Vec<&str> = one
            .options
            .iter()
            .map(String::as_str)
            .filter(|o| !["ro", "rw", "rbind", "bind"].contains(o))
            .collect();
        let bind = one.r#type == "bind";
        let flags = if bind { MsFlags::MS_BIND } else { MsFlags::MS_RDONLY };
        mount(
            Some(one.source.as_str()),
            at,
            Some(one.r#type.as_str()),
            flags,
            Some(options.join(",").as_str()),
        )?;
    }
    let read = |name: &str| read_within(at, name);
    let tables = (read("etc/passwd"), read("etc/group"));
    umount2(at, MntFlags::MNT_DETACH)?;
    let _kept_if_busy = fs::remove_dir(at);
    Ok(tables)
}

fn read_within(root: &Path, name: &str) -> String {
    let open = || -> std::io::Result<String> {
        let folder = File::open(root)?;
        let how =
            OpenHow::new().flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK).resolve(ResolveFlag::RESOLVE_IN_ROOT);
        let file = File::from(openat2(folder.as_fd(), name, how)?);
        let mut text = String::new();
        file.take(MAX).read_to_string(&mut text)?;
        Ok(text)
    };
    open().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_need_no_table_and_names_do() {
        assert_eq!(numbers(""), Some(User { uid: 0, gid: 0 }));
        assert_eq!(numbers("7:8"), Some(User { uid: 7, gid: 8 }));
        assert_eq!(numbers("web"), None);
        let (passwd, group) = ("root:x:0:0::/:/bin/sh\nweb:x:33:34::/:/bin/false\n", "www:x:50:\n");
        assert_eq!(look_up("web", passwd, group), Some(User { uid: 33, gid: 34 }));
        assert_eq!(look_up("web:www", passwd, group), Some(User { uid: 33, gid: 50 }));
        assert_eq!(look_up("5:www", passwd, group), Some(User { uid: 5, gid: 50 }));
        assert_eq!((look_up("nobody", passwd, group), look_up("web:none", passwd, group)), (None, None));
    }
}
