//! Archives that lie are refused, and nothing of them can be pulled.

#![allow(clippy::unwrap_used, reason = "a test")]

mod served;

use cairn_registry::{ArchiveError, ArchiveLimits, Imported, RepositoryName};
use http::StatusCode;
use proptest::prelude::*;
use serde_json::json;
use served::{IMAGE, Served, digest, image};
use tar::{Builder, EntryType, Header};

/// A tar archive of entries: kind, path, content.
fn archive(entries: &[(EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (kind, path, content) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // Written past the crate's own checks: it would not write `..`.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name("../../etc/passwd").unwrap();
        }
        header.set_cksum();
        tar.append(&header, *content).unwrap();
    }
    tar.into_inner().unwrap()
}

fn index(manifest: &str) -> String {
    let descriptor = json!({ "mediaType": IMAGE, "digest": digest(manifest.as_bytes()), "size": manifest.len(),
        "annotations": { "org.opencontainers.image.ref.name": "v1" } });
    json!({ "schemaVersion": 2, "manifests": [descriptor] }).to_string()
}

fn place(content: &str) -> String {
    format!("blobs/sha256/{}", &digest(content.as_bytes())[7..])
}

async fn import(registry: &Served, bytes: Vec<u8>) -> Result<Imported, ArchiveError> {
    let name: RepositoryName = "a".parse().unwrap();
    let limits = ArchiveLimits { entries: 20, bytes: 1 << 20 };
    registry.registry.import_archive(std::io::Cursor::new(bytes), &name, limits).await
}

/// Refused with a message that has these words, and nothing of it stays.
async fn refused(entries: &[(EntryType, &str, &[u8])], words: &str) {
    let registry = Served::start().await;
    let error = import(&registry, archive(entries)).await.unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    let answer = registry.get("/v2/a/tags/list").await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(std::fs::read_dir(registry.path().join("registry/imports")).unwrap().count(), 0);
}

const FILE: EntryType = EntryType::Regular;

#[tokio::test]
async fn a_whole_archive_is_taken_and_its_parts_are_not() {
    let registry = Served::start().await;
    let manifest = image("{}", "layer", json!({}));
    let (index, places) = (index(&manifest), [place("{}"), place("layer"), place(&manifest)]);
    let whole = [
        (FILE, places[0].as_str(), &b"{}"[..]),
        (FILE, places[1].as_str(), b"layer"),
        (FILE, places[2].as_str(), manifest.as_bytes()),
        (FILE, "./index.json", index.as_bytes()),
    ];
    let imported = import(&registry, archive(&whole)).await.unwrap();
    assert_eq!((imported.images.len(), imported.images[0].1.as_ref().unwrap().as_str()), (1, "v1"));
    let answer = registry.get("/v2/a/manifests/v1").await;
    assert_eq!(answer.body(), manifest.as_bytes());
    for missing in 0..3 {
        let mut part = whole.to_vec();
        part.remove(missing);
        refused(&part, "lacks").await;
    }
    refused(&whole[..3], "it has no index.json").await;
}

#[tokio::test]
async fn archives_that_lead_elsewhere_are_refused() {
    for path in ["../x", "blobs/../../x", "/etc/x", "a/.."] {
        refused(&[(FILE, path, b"x")], "leads out of it").await;
    }
    for kind in [EntryType::Symlink, EntryType::Link] {
        refused(&[(kind, &place("x"), b"")], "not a regular file").await;
        refused(&[(kind, "index.json", b"")], "not a regular file").await;
    }
    for kind in [EntryType::Char, EntryType::Block, EntryType::Fifo] {
        refused(&[(kind, "x", b"")], "not a regular file").await;
    }
}

#[tokio::test]
async fn archives_that_lie_or_are_too_large_are_refused() {
    refused(&[(FILE, &place("one thing"), b"another")], "the archive is damaged").await;
    refused(&[(FILE, "index.json", b"{")], "not of its form").await;
    let sha512 = json!({ "manifests": [{ "digest": format!("sha512:{}", "a".repeat(128)) }] }).to_string();
    refused(&[(FILE, "index.json", sha512.as_bytes())], "no digest").await;
    let entry: (EntryType, &str, &[u8]) = (FILE, "x", b"x");
    refused(&[entry; 21], "too many entries").await;
    refused(&[(FILE, "x", &vec![0; (1 << 20) + 1])], "too many bytes").await;
    let docker = json!([{ "Config": "../c.json", "RepoTags": ["a:v1"], "Layers": [] }]).to_string();
    refused(&[(FILE, "manifest.json", docker.as_bytes())], "lacks `../c.json`").await;
}

#[tokio::test]
async fn indexes_do_not_nest_without_end() {
    let mut inner = json!({ "schemaVersion": 2, "mediaType": served::INDEX, "manifests": [] }).to_string();
    let mut contents = vec![inner.clone()];
    for _ in 0..6 {
        let child =
            json!({ "mediaType": served::INDEX, "digest": digest(inner.as_bytes()), "size": inner.len() });
        inner = json!({ "schemaVersion": 2, "mediaType": served::INDEX, "manifests": [child] }).to_string();
        contents.push(inner.clone());
    }
    let top = json!({ "manifests": [{ "mediaType": served::INDEX, "digest": digest(inner.as_bytes()), "size": 1 }] });
    let top = top.to_string();
    let places: Vec<String> = contents.iter().map(|content| place(content)).collect();
    let mut entries: Vec<(EntryType, &str, &[u8])> = vec![(FILE, "index.json", top.as_bytes())];
    entries.extend(
        places.iter().zip(&contents).map(|(place, content)| (FILE, place.as_str(), content.as_bytes())),
    );
    refused(&entries, "too deeply").await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_make_it_panic(at in 0..4096_usize, byte: u8, cut in 0..6000_usize) {
        let manifest = image("{}", "layer", json!({}));
        let index = index(&manifest);
        let mut bytes = archive(&[
            (FILE, &place("{}"), b"{}"), (FILE, &place("layer"), b"layer"),
            (FILE, &place(&manifest), manifest.as_bytes()), (FILE, "index.json", index.as_bytes()),
        ]);
        bytes[at] = byte;
        bytes.truncate(cut);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let registry = Served::start().await;
            let _ = import(&registry, bytes).await;
        });
    }
}
