//! Images, installers, leases and blobs.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

mod setup;

use std::{io::Write as _, net::Ipv4Addr};

use cairn_contract::Digest;
use cairn_store::{AddImageError, InstallerStanding, OpenError, RetireError, Store};
use ed25519_dalek::SigningKey;
use setup::{image, installer};

on_both_engines! {
    async fn an_image_only_grows_newer(site: &Site) {
        let store = site.open().await;
        store.add_image(&image(2)).await.unwrap();
        assert!(matches!(store.add_image(&image(2)).await, Err(AddImageError::Exists { version: 2, .. })));
        assert!(matches!(store.add_image(&image(1)).await, Err(AddImageError::Older { present: 2, .. })));
        assert!(matches!(store.add_image(&image(u64::MAX)).await, Err(AddImageError::Write(_))));
        store.add_image(&image(3)).await.unwrap();
        let newest = store.image("tiny").await.unwrap().unwrap();
        assert_eq!(newest, image(3));
        let key = SigningKey::from_bytes(&[7; 32]).verifying_key();
        assert_eq!(newest.manifest.verify(&key).unwrap().version, 3, "the signature survives storage");
        assert_eq!(store.images().await.unwrap().iter().map(|i| i.version).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(store.image("debian").await.unwrap(), None);
    }

    async fn one_installer_is_active_and_all_but_retired_ones_are_accepted(site: &Site) {
        let store = site.open().await;
        store.add_installer(&installer("1", InstallerStanding::Active)).await.unwrap();
        store.add_installer(&installer("2", InstallerStanding::Active)).await.unwrap();
        let active = store.active_installer().await.unwrap().unwrap();
        assert_eq!(active, installer("2", InstallerStanding::Active));
        assert_eq!(store.installers().await.unwrap().len(), 2);
        store.retire_installer("lab", "1").await.unwrap();
        assert_eq!(store.installers().await.unwrap(), [active]);
        assert!(matches!(store.retire_installer("lab", "2").await, Err(RetireError::Active)));
        assert!(matches!(store.retire_installer("lab", "3").await, Err(RetireError::NotFound)));
    }

    async fn an_address_has_one_record(site: &Site) {
        let store = site.open().await;
        let ip = |last| Ipv4Addr::new(10, 0, 0, last);
        store.put_lease(ip(10), "{}").await.unwrap();
        store.put_lease(ip(10), "{\"a\":1}").await.unwrap();
        store.put_lease(ip(11), "{}").await.unwrap();
        store.delete_lease(ip(11)).await.unwrap();
        store.delete_lease(ip(11)).await.unwrap();
        assert_eq!(store.leases().await.unwrap(), [(ip(10), "{\"a\":1}".to_owned())]);
    }

    async fn a_blob_has_the_name_of_its_bytes_or_none(site: &Site) {
        let store = site.open().await;
        let mut writer = store.blobs().writer().unwrap();
        writer.write_all(b"half").unwrap();
        drop(writer);
        let mut abandoned = store.blobs().writer().unwrap();
        abandoned.write_all(b"crash").unwrap();
        std::mem::forget(abandoned);
        for _ in 0..2 {
            let mut writer = store.blobs().writer().unwrap();
            writer.write_all(b"some").unwrap();
            writer.write_all(b"thing").unwrap();
            assert_eq!(writer.finish().unwrap(), (Digest::of(b"something"), 9));
        }
        let digest = Digest::of(b"something");
        assert_eq!(std::fs::read(store.blobs().path(&digest)).unwrap(), b"something");
        assert_eq!(store.blobs().open(&digest).unwrap().unwrap().1, 9);
        assert!(store.blobs().open(&Digest::of(b"half")).unwrap().is_none());
        drop(store);
        let store = site.open().await;
        let left = std::fs::read_dir(site.dir().join("blobs/tmp")).unwrap().count();
        assert_eq!(left, 0, "what an interrupted writer left is gone");
        store.blobs().delete(&digest).unwrap();
        store.blobs().delete(&digest).unwrap();
        assert!(store.blobs().open(&digest).unwrap().is_none());
    }
}

#[tokio::test]
async fn one_process_has_the_data_and_nobody_else_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let store = Store::open(&data).await.unwrap();
    store.put_lease(Ipv4Addr::LOCALHOST, "{}").await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for file in ["cairn.db", "cairn.db-wal", "cairn.db-shm"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    assert!(matches!(Store::open(&data).await, Err(OpenError::InUse { .. })));
    drop(store);
    Store::open(&data).await.unwrap();
}
