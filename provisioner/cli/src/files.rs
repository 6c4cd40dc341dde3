//! Resources in files: which files `-f` means, and what is wrong with them before any of it is sent.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use cairn_domain::model::{Kind, Level};
use serde_json::Value;

use crate::{exit::Failure, target, target::text, yaml};

/// Folders in each other.
const MAX_DEPTH: usize = 16;
/// Resources of one command.
const MAX_RESOURCES: usize = 10_000;
/// Files of one command.
const MAX_FILES: usize = 10_000;

/// One resource and where it is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Manifest {
    /// `acme.yaml, document 2, line 9`
    pub(crate) origin: String,
    pub(crate) kind: Kind,
    pub(crate) value: Value,
}

/// Whether folders below a folder are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    Flat,
    Recursive,
}

impl Depth {
    pub(crate) fn of(recursive: bool) -> Self {
        if recursive { Self::Recursive } else { Self::Flat }
    }
}

/// All resources of `files`, parents before children; each has a kind and a name, and `namespace` where it says none.
pub(crate) fn read(
    files: &[PathBuf],
    depth: Depth,
    namespace: Option<&str>,
) -> Result<Vec<Manifest>, Failure> {
    let mut all = Vec::new();
    for path in find(files, depth)? {
        let shown = if is_stdin(&path) { "standard input".to_owned() } else { path.display().to_string() };
        let documents = yaml::read(&bytes(&path)?)
            .map_err(|e| Failure::new(format!("{shown}: {e}"), "Mend the file; nothing was sent."))?;
        for document in documents {
            let origin = format!("{shown}, document {}, line {}", document.number, document.line);
            expand(document.value, &origin, &mut all)?;
        }
        if all.len() > MAX_RESOURCES {
            return Err(Failure::new(
                format!("more than {MAX_RESOURCES} resources"),
                "Apply the files one by one.",
            ));
        }
    }
    if all.is_empty() {
        return Err(Failure::new(
            "there is no resource in these files",
            "A resource begins with apiVersion: cairn/v1",
        ));
    }
    for manifest in &mut all {
        complete(manifest, namespace);
    }
    refuse_twice(&all)?;
    let rank = |kind: Kind| Kind::ALL.iter().position(|k| *k == kind);
    all.sort_by_key(|m| rank(m.kind));
    Ok(all)
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The files that are meant, in the order of their names.
fn find(files: &[PathBuf], depth: Depth) -> Result<Vec<PathBuf>, Failure> {
    let mut out = Vec::new();
    for path in files {
        if is_stdin(path) || !path.is_dir() {
            out.push(path.clone());
        } else {
            let levels = if depth == Depth::Recursive { MAX_DEPTH } else { 1 };
            let before = out.len();
            folder(path, levels, &mut out)?;
            if out.len() == before {
                let next = "Files end with .yaml, .yml or .json; folders below are read with -R.";
                return Err(Failure::new(format!("{} holds no file of resources", path.display()), next));
            }
        }
    }
    Ok(out)
}

fn folder(path: &Path, levels: usize, out: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let entries =
        fs::read_dir(path).and_then(|all| all.map(|e| e.map(|e| e.path())).collect::<io::Result<Vec<_>>>());
    let mut entries = entries.map_err(|e| unread(path, &e))?;
    entries.sort();
    for entry in entries {
        let fits =
            entry.extension().and_then(|e| e.to_str()).is_some_and(|e| matches!(e, "yaml" | "yml" | "json"));
        // A link to a folder could lead in a circle.
        if entry.is_dir() && !entry.is_symlink() {
            if levels > 1 {
                folder(&entry, levels - 1, out)?;
            }
        } else if fits && entry.is_file() {
            out.push(entry);
        }
        if out.len() > MAX_FILES {
            return Err(Failure::new(
                format!("more than {MAX_FILES} files"),
                "Apply the folders one by one.",
            ));
        }
    }
    Ok(())
}

fn unread(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot read {}: {error}", path.display()), "Check its name and rights.")
}

/// One file, one byte longer than allowed at most.
fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    let limit = yaml::MAX_BYTES as u64 + 1;
    let read = if is_stdin(path) {
        io::stdin().lock().take(limit).read_to_end(&mut out)
    } else {
        fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut out))
    };
    read.map(|_| out).map_err(|e| unread(path, &e))
}

/// A resource, or the items of a list of them.
fn expand(value: Value, origin: &str, all: &mut Vec<Manifest>) -> Result<(), Failure> {
    let is_list = text(&value, "/kind").ends_with("List");
    match value {
        Value::Object(mut map) if is_list && map.contains_key("items") => {
            let Some(Value::Array(items)) = map.remove("items") else { return Err(no_resource(origin)) };
            for (n, item) in items.into_iter().enumerate() {
                let origin = format!("{origin}, item {}", n + 1);
                all.push(manifest(item, origin)?);
            }
        }
        value => all.push(manifest(value, origin.to_owned())?),
    }
    Ok(())
}

fn no_resource(origin: &str) -> Failure {
    let next =
        "Each begins with apiVersion: cairn/v1, kind: and metadata: with name:. Kinds: cairn api-resources";
    Failure::new(format!("{origin}: this is no resource"), next)
}

fn manifest(value: Value, origin: String) -> Result<Manifest, Failure> {
    if text(&value, "/kind").is_empty() || !value.is_object() {
        return Err(no_resource(&origin));
    }
    let failed = |what: String, next: String| Failure::new(format!("{origin}: {what}"), next);
    let kind = target::kind(text(&value, "/kind")).map_err(|e| failed(e.text, e.next))?;
    let version = text(&value, "/apiVersion");
    if version != cairn_domain::model::API_VERSION {
        let shown = cairn_domain::fact::plain(version, 60);
        return Err(failed(format!("apiVersion is {shown:?}"), "Write apiVersion: cairn/v1".into()));
    }
    if text(&value, "/metadata/name").is_empty() {
        let next = format!("Write metadata: with name:. Fields: cairn explain {}", kind.plural());
        return Err(failed(format!("this {kind} has no name"), next));
    }
    Ok(Manifest { origin, kind, value })
}

/// The kind in the server's spelling, and the current namespace.
fn complete(manifest: &mut Manifest, namespace: Option<&str>) {
    manifest.value["kind"] = manifest.kind.name().into();
    let lives = manifest.kind.level() != Level::Appliance;
    if let (true, Some(namespace), Some(Value::Object(metadata))) =
        (lives, namespace, manifest.value.get_mut("metadata"))
    {
        metadata.entry("namespace").or_insert_with(|| namespace.into());
    }
}

/// One resource in two places would depend on their order.
fn refuse_twice(all: &[Manifest]) -> Result<(), Failure> {
    let mut seen = std::collections::HashMap::new();
    for manifest in all {
        let name = target::kind_and_name(&manifest.value);
        if let Some(first) = seen.insert(name.clone(), manifest.origin.as_str()) {
            let shown = cairn_domain::fact::plain(&name, 200);
            let text = format!("{shown} is there twice: {first}; and {}", manifest.origin);
            return Err(Failure::new(text, "Remove one of the two; nothing was sent."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_of(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn resource(kind: &str, name: &str) -> String {
        format!("apiVersion: cairn/v1\nkind: {kind}\nmetadata:\n  name: {name}\n")
    }

    #[test]
    fn folders_lists_and_documents_come_parents_first() {
        let list = "apiVersion: cairn/v1\nkind: SiteList\nitems:\n- apiVersion: cairn/v1\n  kind: Site\n  metadata: {name: s2, namespace: x.y}\n";
        let dir = folder_of(&[
            ("b.yaml", &format!("{}---\n{}", resource("host", "h"), resource("Site", "s"))),
            (
                "a.json",
                "{\"apiVersion\": \"cairn/v1\", \"kind\": \"Organisation\", \"metadata\": {\"name\": \"acme\"}}",
            ),
            ("deep/c.yml", list),
            ("notes.txt", "nothing"),
        ]);
        let names = |depth| {
            let all = read(&[dir.path().to_owned()], depth, Some("retail.acme")).unwrap();
            all.iter().map(|m| target::kind_and_name(&m.value)).collect::<Vec<_>>()
        };
        assert_eq!(names(Depth::Flat), ["organisation/acme", "site/s.retail.acme", "host/h.retail.acme"]);
        assert_eq!(names(Depth::Recursive)[2], "site/s2.x.y");
    }

    #[test]
    fn what_is_wrong_is_told_with_file_document_and_line() {
        let bad = |text: &str| {
            let dir = folder_of(&[("f.yaml", text)]);
            read(&[dir.path().join("f.yaml")], Depth::Flat, None).unwrap_err()
        };
        let good = resource("Site", "s");
        let second = |text: &str| bad(&format!("{good}---\n{text}"));
        let place = "f.yaml, document 2, line 6: ";
        assert!(second("a: 1\n").text.contains(&format!("{place}this is no resource")));
        assert!(second(&resource("Hots", "x")).next.contains("Did you mean hosts?"));
        assert!(
            second("apiVersion: v1\nkind: Site\n").text.contains(&format!("{place}apiVersion is \"v1\""))
        );
        assert!(second("apiVersion: cairn/v1\nkind: Site\n").text.contains("has no name"));
        assert!(second(&good).text.contains("site/s is there twice"));
        assert!(second("a: [").text.contains("f.yaml: document 2, line "));
        assert!(bad("# nothing\n").text.contains("no resource"));
        assert!(
            read(&["/nowhere.yaml".into()], Depth::Flat, None).unwrap_err().text.contains("/nowhere.yaml")
        );
        let empty = tempfile::tempdir().unwrap();
        assert!(
            read(&[empty.path().to_owned()], Depth::Flat, None).unwrap_err().text.contains("holds no file")
        );
    }
}
