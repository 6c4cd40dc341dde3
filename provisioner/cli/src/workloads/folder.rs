//! One resource with the files that it names: `package.yaml` or `distribution.yaml` of a folder, or a file of any name.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use cairn_domain::model::Kind;
use serde_json::{Map, Value};

use crate::{
    exit::Failure,
    files::{self, Depth},
};

/// Bytes of all files that are put in place.
const MAX_INLINE: usize = 900 << 10;
/// Folders in each other.
const MAX_DEPTH: usize = 8;

/// A resource and the folder that its files are in.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) object: Value,
    pub(super) root: PathBuf,
}

/// Reads the one resource of `kind`.
pub(super) fn read(
    path: &Path,
    (kind, name): (Kind, &str),
    namespace: Option<&str>,
) -> Result<Folder, Failure> {
    let (file, root) = if path.is_dir() {
        (path.join(name), path.to_owned())
    } else {
        (path.to_owned(), path.parent().unwrap_or(Path::new("")).to_owned())
    };
    if path.is_dir() && !file.is_file() {
        let next = format!("Write the {kind} as {name} in it.");
        return Err(Failure::new(format!("{} holds no {name}", path.display()), next));
    }
    let mut all = files::read(std::slice::from_ref(&file), Depth::Flat, namespace)?;
    match (all.pop(), all.is_empty()) {
        (Some(one), true) if one.kind == kind => Ok(Folder { object: one.value, root }),
        (Some(other), true) => Err(Failure::new(
            format!("{} holds a {}, not a {kind}", file.display(), other.kind),
            "cairn apply -f FILE takes any kind.",
        )),
        _ => Err(Failure::new(
            format!("{} holds several resources", file.display()),
            format!("One {kind} at a time."),
        )),
    }
}

/// A path in the folder; nothing leads out of it.
pub(super) fn inside(root: &Path, relative: &str) -> Result<PathBuf, Failure> {
    let path = Path::new(relative);
    let plain = path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if relative.is_empty() || !plain {
        let shown = cairn_domain::fact::plain(relative, 200);
        return Err(Failure::new(
            format!("{shown:?} leads out of {}", root.display()),
            "Write paths relative to the folder, without '..'.",
        ));
    }
    Ok(root.join(path))
}

/// Files below a folder by their relative names, as `files.inline` holds them.
pub(super) fn inline(root: &Path, relative: &str) -> Result<Map<String, Value>, Failure> {
    let folder = inside(root, relative)?;
    let mut out = Map::new();
    let mut room = MAX_INLINE;
    gather(&folder, "", (&mut out, &mut room), MAX_DEPTH)?;
    if out.is_empty() {
        return Err(Failure::new(
            format!("{} holds no file", folder.display()),
            "Put the files there, or mend path:.",
        ));
    }
    Ok(out)
}

fn gather(
    folder: &Path,
    prefix: &str,
    (out, room): (&mut Map<String, Value>, &mut usize),
    depth: usize,
) -> Result<(), Failure> {
    let unread = |e: io::Error| {
        Failure::new(format!("cannot read {}: {e}", folder.display()), "Check its name and rights.")
    };
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).and_then(|all| all.map(|e| e.map(|e| e.path())).collect()).map_err(unread)?;
    entries.sort();
    for entry in entries {
        let Some(name) = entry.file_name().and_then(|n| n.to_str()) else { continue };
        let name = format!("{prefix}{name}");
        if entry.is_symlink() {
            return Err(Failure::new(format!("{} is a link", entry.display()), "Packages hold files only."));
        }
        if entry.is_dir() {
            if depth == 0 {
                return Err(Failure::new(format!("{} is too deep", entry.display()), ""));
            }
            gather(&entry, &format!("{name}/"), (out, room), depth - 1)?;
            continue;
        }
        let text = fs::read_to_string(&entry).map_err(unread_text(&entry))?;
        *room = room.checked_sub(text.len()).ok_or_else(|| {
            let next = "Larger ones go into the registry: push them there, and name them as artifact: repository@sha256:...";
            Failure::new("the files are larger than 900 KiB together", next)
        })?;
        out.insert(name, text.into());
    }
    Ok(())
}

fn unread_text(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let shown = path.display().to_string();
    move |e| match e.kind() {
        io::ErrorKind::InvalidData => {
            Failure::new(format!("{shown} is not text (UTF-8)"), "Packages hold text files only.")
        }
        _ => Failure::new(format!("cannot read {shown}: {e}"), "Check its rights."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_put_in_place_and_links_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("m/sub")).unwrap();
        fs::write(dir.path().join("m/a.yaml"), "a").unwrap();
        fs::write(dir.path().join("m/sub/b.yaml"), "b").unwrap();
        let found = inline(dir.path(), "m").unwrap();
        assert_eq!(Value::Object(found), serde_json::json!({"a.yaml": "a", "sub/b.yaml": "b"}));
        for bad in ["../m", "/etc", "", "m/../../x"] {
            assert!(inside(dir.path(), bad).is_err(), "{bad}");
        }
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("m/c.yaml")).unwrap();
        assert!(inline(dir.path(), "m").unwrap_err().text.contains("is a link"));
        fs::remove_file(dir.path().join("m/c.yaml")).unwrap();
        fs::write(dir.path().join("m/big"), "x".repeat(1 << 20)).unwrap();
        assert!(inline(dir.path(), "m").unwrap_err().text.contains("900 KiB"));
    }
}
