//! Values of Secrets and bootstrap tokens: sealed, audited, gone with their owner.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

mod setup;

use std::collections::BTreeMap;

use cairn_contract::HostId;
use cairn_domain::{
    audit::{Deed, Outcome},
    model::{Kind, Namespace, Uid},
};
use cairn_store::{
    AuditFilter, BootstrapToken, Change, DataKey, Database, MAX_SECRET_VALUE, ResourceWrite, SealError,
    SecretError, SecretText, SecretWrite, Store, TokenView,
};
use serde_json::json;
use setup::{NOW, alice, batch, engines::Site, host, insert, resource};
use uuid::Uuid;

fn key(byte: u8) -> DataKey {
    DataKey::new([byte; 32].into())
}

fn project() -> Namespace {
    "retail.acme".parse().unwrap()
}

async fn owner(store: &Store, kind: Kind) -> Uid {
    let object = resource(kind, &project(), "it", json!({}));
    let written = store.write(&batch(vec![ResourceWrite::Create(object)])).await.unwrap();
    written.objects[0].metadata.uid
}

fn setting(owner: Uid, values: &[(&str, &str)]) -> SecretWrite {
    let deed = Deed {
        actor: alice(),
        verb: "set".into(),
        kind: Some(Kind::Secret),
        uid: Some(owner),
        namespace: project(),
        name: "it".into(),
        outcome: Outcome::Done,
        reason: String::new(),
        before: None,
        after: None,
    };
    let set = values.iter().map(|(k, v)| ((*k).to_owned(), SecretText::from(*v))).collect();
    SecretWrite { owner, at: NOW, set, remove: Vec::new(), deeds: vec![deed] }
}

/// No byte of a value is in the database's file.
fn assert_sealed(site: &Site, value: &str) {
    if site.database == Database::Sqlite {
        for file in ["cairn.db", "cairn.db-wal"] {
            let bytes = std::fs::read(site.dir().join(file)).unwrap_or_default();
            assert!(!bytes.windows(value.len()).any(|w| w == value.as_bytes()), "{file}");
        }
    }
}

on_both_engines! {
    async fn values_are_sealed_listed_by_key_and_die_with_their_secret(site: &Site) {
        let store = site.open().await.with_data_key(key(1));
        let uid = owner(&store, Kind::Secret).await;
        store.write_secrets(&setting(uid, &[("password", "hunter2-hunter2"), ("user", "bob")])).await.unwrap();
        let revision = store.write_secrets(&setting(uid, &[("password", "hunter3-hunter3")])).await.unwrap();
        assert_eq!(store.secret_value(uid, "password").await.unwrap().unwrap().expose(), "hunter3-hunter3");
        assert!(store.secret_value(uid, "nothing").await.unwrap().is_none());
        assert_sealed(site, "hunter");
        let (objects, newest) = store.all_objects().await.unwrap();
        assert_eq!(newest, revision);
        let secret = objects.iter().find(|o| o.metadata.uid == uid).unwrap();
        assert_eq!(*secret.status.clone().unwrap(), json!({"keys": ["password", "user"], "changed": 2}));
        let audit = store.audit_after(0, &AuditFilter::default(), 10).await.unwrap();
        assert_eq!(audit.iter().filter(|e| e.deed.verb == "set").count(), 2);

        let remove = SecretWrite { remove: vec!["user".into(), "nothing".into()], set: BTreeMap::new(), ..setting(uid, &[]) };
        store.write_secrets(&remove).await.unwrap();
        let keys = store.secret_keys(uid).await.unwrap();
        assert_eq!(keys, [("password".to_owned(), NOW)]);

        store.write(&batch(vec![ResourceWrite::Delete { uid, expected: None }])).await.unwrap();
        assert!(store.secret_value(uid, "password").await.unwrap().is_none());
        let again = store.write_secrets(&setting(uid, &[("password", "x")])).await;
        assert!(matches!(again, Err(SecretError::NotFound)));
    }

    async fn what_is_no_key_or_too_large_is_refused_and_only_secrets_have_values(site: &Site) {
        let store = site.open().await.with_data_key(key(1));
        let uid = owner(&store, Kind::Secret).await;
        for (name, value) in [("", "x".to_owned()), ("a b", "x".to_owned()), ("ok", "x".repeat(MAX_SECRET_VALUE + 1)), ("ok", "a\0b".to_owned())] {
            let refused = store.write_secrets(&setting(uid, &[(name, &value)])).await;
            assert!(matches!(refused, Err(SecretError::Invalid(_))), "{name}");
        }
        let other = owner(&store, Kind::Cluster).await;
        assert!(matches!(store.write_secrets(&setting(other, &[("a", "b")])).await, Err(SecretError::NotFound)));
        assert!(store.secret_keys(uid).await.unwrap().is_empty());
    }

    async fn a_database_knows_its_key(site: &Site) {
        let store = site.open().await;
        assert!(matches!(store.check_data_key().await, Err(SecretError::Seal(SealError::NoKey))));
        let store = store.with_data_key(key(1));
        store.check_data_key().await.unwrap();
        store.check_data_key().await.unwrap();
        let wrong = store.clone().with_data_key(key(2)).check_data_key().await;
        assert!(matches!(wrong, Err(SecretError::Seal(SealError::Open))));
    }

    async fn a_token_is_seen_by_its_host_and_the_control_plane_until_it_is_spent(site: &Site) {
        let store = site.open().await.with_data_key(key(1));
        let cluster = owner(&store, Kind::Cluster).await;
        let a = insert(&store, host("a")).await;
        let b = HostId(Uuid::new_v4());
        let token = |id: &str, host| BootstrapToken {
            id: id.into(), cluster, host, node: id.into(), expires: NOW.after_seconds(600), spent: None,
        };
        store.make_token(&token("aaaaaa", a.id), &"halfhalfhalfhalf".into()).await.unwrap();
        store.make_token(&token("bbbbbb", b), &"otherotherother1".into()).await.unwrap();
        assert_sealed(site, "halfhalf");
        let seen = async |view, at| {
            let secrets = store.token_secrets(cluster, view, at).await.unwrap();
            secrets.into_iter().map(|(id, s)| format!("{id}.{}", s.expose())).collect::<Vec<_>>()
        };
        assert_eq!(seen(TokenView::Own(a.id), NOW).await, ["aaaaaa.halfhalfhalfhalf"]);
        assert_eq!(seen(TokenView::All, NOW).await.len(), 2);
        assert!(seen(TokenView::All, NOW.after_seconds(600)).await.is_empty());
        let elsewhere = Uid(Uuid::new_v4());
        assert_eq!(store.spend_tokens(elsewhere, &["bbbbbb".into()], NOW).await.unwrap(), 0);
        assert_eq!(store.spend_tokens(cluster, &["bbbbbb".into()], NOW).await.unwrap(), 1);
        assert_eq!(store.spend_tokens(cluster, &["bbbbbb".into()], NOW).await.unwrap(), 0);
        assert_eq!(seen(TokenView::All, NOW).await.len(), 1);
        store.commit(Change::remove(a, NOW)).await.unwrap();
        assert!(seen(TokenView::All, NOW).await.is_empty());
        store.write(&batch(vec![ResourceWrite::Delete { uid: cluster, expected: None }])).await.unwrap();
        assert!(store.all_tokens().await.unwrap().is_empty());
    }
}
