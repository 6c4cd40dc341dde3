//! Backups of a store that serves, restored into either engine; and what is not taken for a backup.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod setup;

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
};

use cairn_contract::{Digest, HostId, Timestamp, workload::Phase};
use cairn_domain::model::{Kind, Uid};
use cairn_store::{
    AssignedKind, BackupError, Change, Database, OrderWrite, Progress, ResourceWrite, RestoreError, Said,
    Store, Whose,
};
use serde_json::json;
use setup::{NOW, batch, engines::Site, host, image, insert, inventory, line, mac, resource};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

const LATER: Timestamp = Timestamp(NOW.0 + 1);

async fn fill(store: &Store) {
    let region = resource(
        Kind::Region,
        &"default.default".parse().unwrap(),
        "north",
        json!({"displayName": "ä \"\n"}),
    );
    store.write(&batch(vec![ResourceWrite::Create(region)])).await.unwrap();
    for i in 0..40 {
        let mut new = host(&format!("h{i}"));
        new.inventory = Some(inventory(&format!("s{i}"), "", &[mac(i), mac(200)]));
        let mut stored = insert(store, new).await;
        stored.meta.labels.insert("n".into(), i.to_string());
        let mut change = Change::update(stored.clone(), NOW);
        change.lines = vec![line(Whose::Host(stored.id), "labelled"), line(Whose::Machine(mac(i)), "seen")];
        store.commit(change).await.unwrap();
        order(store, stored.id).await;
    }
    let lines: Vec<_> = (0..2100).map(|i| line(Whose::Site, &format!("line {i}"))).collect();
    store.notes(&lines).await.unwrap();
    store.add_image(&image(3)).await.unwrap();
    put_blob(store, b"something");
}

/// Something that the host is told, and says.
async fn order(store: &Store, host: HostId) {
    let (subject, revision) = (Uid(Uuid::from_u128(1)), Digest::of(b"order"));
    let kind = AssignedKind::Deployment;
    let put = OrderWrite::Put { host, subject, kind, revision, body: "{\"ä\": 1}".into() };
    store.write_orders(&[put], NOW).await.unwrap();
    let rows = store.assignments_of(host).await.unwrap();
    let said = Said { subject, kind, progress: Progress::Said(Phase::Ready), observed: "{}".into() };
    assert!(store.observe(host, &rows, &[said], NOW).await.unwrap());
}

fn put_blob(store: &Store, bytes: &[u8]) {
    let mut writer = store.blobs().writer().unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap();
}

/// All lines but the first, which has a time.
fn rows(folder: &Path) -> Vec<String> {
    let bytes = fs::read(folder.join("tables.zst")).unwrap();
    let mut text = String::new();
    let end = bytes.len() - 32;
    zstd::stream::read::Decoder::new(&bytes[..end]).unwrap().read_to_string(&mut text).unwrap();
    text.lines().skip(1).map(str::to_owned).collect()
}

/// As `rows`, put back with a SHA-256 that fits.
fn rewrite(folder: &Path, edit: impl Fn(String) -> String) {
    let file = folder.join("tables.zst");
    let bytes = fs::read(&file).unwrap();
    let mut text = String::new();
    let end = bytes.len() - 32;
    zstd::stream::read::Decoder::new(&bytes[..end]).unwrap().read_to_string(&mut text).unwrap();
    let mut bytes = zstd::stream::encode_all(edit(text).as_bytes(), 1).unwrap();
    let hash = Sha256::digest(&bytes);
    bytes.extend(hash);
    fs::write(file, bytes).unwrap();
}

async fn both() -> [Site; 2] {
    [Site::sqlite(), Site::postgres().await]
}

on_both_engines! {
    async fn a_backup_of_a_store_that_serves_is_one_moment_and_restores_into_either_engine(site: &Site) {
        let store = site.open().await;
        fill(&store).await;
        let to = tempfile::tempdir().unwrap();
        let folder = to.path().join("new/backup");
        let writing = async {
            for i in 0..200 {
                insert(&store, host(&format!("during{i}"))).await;
            }
        };
        let (saved, ()) = tokio::join!(async { store.backup(&folder, LATER).await.unwrap() }, writing);
        assert!(saved.rows > 2100);
        assert_eq!((saved.blobs, saved.created), (1, LATER));
        let again = store.backup(&folder, LATER).await.unwrap_err();
        assert!(matches!(again, BackupError::Exists { .. }));

        for target in both().await {
            let restored = Store::restore(&folder, target.dir(), target.database.clone()).await.unwrap();
            assert_eq!(restored, saved);
            let copy = target.open().await;
            assert_eq!(copy.newest_revision().await.unwrap(), saved.revision);
            assert_eq!(copy.verify_audit().await.unwrap().flaw, None);
            let (objects, revision) = copy.all_objects().await.unwrap();
            assert_eq!(revision, saved.revision);
            // As many hosts as their numbers say: one moment, not a mixture.
            let during = objects.iter().filter(|o| o.metadata.name.starts_with("during")).count();
            assert_eq!(i64::try_from(during).unwrap(), saved.revision - 3 - 1 - 80);
            assert_eq!(copy.blobs().open(&Digest::of(b"something")).unwrap().unwrap().1, 9);
            insert(&copy, host("afterwards")).await;
            let late = Store::restore(&folder, tempfile::tempdir().unwrap().path(), target.database.clone()).await;
            match target.database {
                Database::Postgres(_) => assert!(matches!(late, Err(RestoreError::NotEmpty { .. })), "{late:?}"),
                Database::Sqlite => assert!(late.is_ok(), "another folder is another database"),
            }
        }
    }

    async fn tables_move_to_the_other_engine_whole(site: &Site) {
        let store = site.open().await;
        fill(&store).await;
        let before = tempfile::tempdir().unwrap();
        store.backup(before.path(), LATER).await.unwrap();
        let in_use = Store::migrate(site.dir(), site.database.clone(), Database::Sqlite, LATER).await.unwrap_err();
        assert!(matches!(in_use, RestoreError::Open(cairn_store::OpenError::InUse { .. })), "{in_use:?}");
        drop(store);
        let other = match site.database {
            Database::Sqlite => Site::postgres().await,
            Database::Postgres(_) => Site::sqlite(),
        };
        let database = other.database.clone();
        if let Database::Postgres(_) = site.database {
            // SQLite's file goes into the same data directory.
            assert!(!site.dir().join("cairn.db").exists());
        }
        let moved = Store::migrate(site.dir(), site.database.clone(), database.clone(), LATER).await.unwrap();
        let copy = Store::open_with(site.dir(), database.clone()).await.unwrap();
        let after = tempfile::tempdir().unwrap();
        copy.backup(after.path(), LATER).await.unwrap();
        assert_eq!(rows(after.path()), rows(before.path()));
        assert_eq!(moved.rows, u64::try_from(rows(before.path()).len()).unwrap() - 1 - 22);
        drop(copy);
        let again = Store::migrate(site.dir(), site.database.clone(), database, LATER).await.unwrap_err();
        assert!(matches!(again, RestoreError::NotEmpty { .. }), "{again:?}");
    }

    async fn what_is_no_whole_backup_is_refused_and_leaves_the_target_empty(site: &Site) {
        let source = Site::sqlite();
        let store = source.open().await;
        fill(&store).await;
        let folder = tempfile::tempdir().unwrap();
        store.backup(folder.path(), LATER).await.unwrap();
        let file = folder.path().join("tables.zst");
        let whole = fs::read(&file).unwrap();
        let restore = async || Store::restore(folder.path(), site.dir(), site.database.clone()).await;

        for damaged in [&whole[..whole.len() - 1], &whole[..10], &[whole.as_slice(), b"x"].concat()] {
            fs::write(&file, damaged).unwrap();
            let refused = restore().await.unwrap_err();
            assert!(matches!(refused, RestoreError::Damaged { .. }), "{refused:?}");
        }
        fs::write(&file, &whole).unwrap();
        rewrite(folder.path(), |text| text.replacen("\"schema\":3", "\"schema\":4", 1));
        assert!(matches!(restore().await, Err(RestoreError::Newer { found: 4, known: 3 })));
        fs::write(&file, &whole).unwrap();
        rewrite(folder.path(), |text| text.replacen("cairn-backup/1", "tar", 1));
        assert!(matches!(restore().await, Err(RestoreError::Form { line: 1, .. })));
        // Right to the last line, which is missing.
        fs::write(&file, &whole).unwrap();
        rewrite(folder.path(), |text| text.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n");
        assert!(matches!(restore().await, Err(RestoreError::Form { .. })));
        fs::write(&file, &whole).unwrap();
        rewrite(folder.path(), |text| text.replacen("{\"table\":\"host\"", "{\"table\":\"host; DROP TABLE host\"", 1));
        assert!(matches!(restore().await, Err(RestoreError::Form { .. })));

        fs::write(&file, &whole).unwrap();
        let blob = folder.path().join("blobs/sha256").join(&Digest::of(b"something").to_string()[..2]);
        let blob = blob.join(Digest::of(b"something").to_string());
        fs::write(&blob, b"anything").unwrap();
        assert!(matches!(restore().await, Err(RestoreError::Blob { .. })));
        fs::write(&blob, b"something").unwrap();

        // Each of them left nothing; now it is whole, and loads.
        restore().await.unwrap();
        assert!(matches!(restore().await, Err(RestoreError::NotEmpty { .. })));
        assert_eq!(site.open().await.hosts(None, 100).await.unwrap().len(), 40);
    }

    async fn a_restore_that_was_cut_off_can_be_done_again(site: &Site) {
        let source = Site::sqlite();
        let store = source.open().await;
        fill(&store).await;
        let folder = tempfile::tempdir().unwrap();
        store.backup(folder.path(), LATER).await.unwrap();
        let restore = || Store::restore(folder.path(), site.dir(), site.database.clone());
        // As a crash would, at one place after another. The last one is not cut off.
        let mut polls = 1;
        loop {
            let mut attempt = Box::pin(restore());
            let mut left = polls;
            let cut = std::future::poll_fn(|cx| {
                if left == 0 {
                    return std::task::Poll::Ready(None);
                }
                left -= 1;
                attempt.as_mut().poll(cx).map(Some)
            });
            if let Some(done) = cut.await {
                done.unwrap();
                break;
            }
            drop(attempt);
            polls *= 3;
        }
        assert_eq!(site.open().await.hosts(None, 100).await.unwrap().len(), 40);
    }
}
