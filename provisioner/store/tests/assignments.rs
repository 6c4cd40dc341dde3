//! Orders to hosts, and what they say of them.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

mod setup;

use cairn_contract::{Digest, HostId, Timestamp, workload::Phase};
use cairn_domain::model::Uid;
use cairn_store::{AssignedKind, Assignment, Change, OrderWrite, Progress, Said, Store, WriteError};
use setup::{NOW, host, insert};
use uuid::Uuid;

fn put(host: HostId, subject: Uid, body: &str) -> OrderWrite {
    let (kind, revision) = (AssignedKind::Deployment, Digest::of(body.as_bytes()));
    OrderWrite::Put { host, subject, kind, revision, body: body.into() }
}

fn said(subject: Uid, phase: Phase, observed: &str) -> Said {
    Said {
        subject,
        kind: AssignedKind::Deployment,
        progress: Progress::Said(phase),
        observed: observed.into(),
    }
}

fn gone(subject: Uid) -> Said {
    Said { subject, kind: AssignedKind::Deployment, progress: Progress::Gone, observed: String::new() }
}

fn subject(n: u128) -> Uid {
    Uid(Uuid::from_u128(n))
}

fn only(mut rows: Vec<Assignment>) -> Assignment {
    assert_eq!(rows.len(), 1);
    rows.pop().unwrap()
}

async fn observe(store: &Store, host: HostId, said: &[Said], at: Timestamp) -> Result<bool, WriteError> {
    let rows = store.assignments_of(host).await.unwrap();
    store.observe(host, &rows, said, at).await
}

on_both_engines! {
    async fn an_order_is_given_said_of_withdrawn_and_forgotten(site: &Site) {
        let store = site.open().await;
        let changed = store.assignments_changed();
        let (a, b) = (insert(&store, host("a")).await.id, insert(&store, host("b")).await.id);
        let nobody = HostId(Uuid::new_v4());
        let orders = [put(a, subject(1), "one"), put(b, subject(1), "one"), put(a, subject(2), "two"), put(nobody, subject(1), "x")];
        store.write_orders(&orders, NOW).await.unwrap();
        let (all, last) = store.all_assignments().await.unwrap();
        assert_eq!(all.len(), 3, "nobody's is left out");
        assert_eq!(*changed.borrow(), last);
        assert_eq!(store.assignments_to(subject(1)).await.unwrap().len(), 2);
        assert_eq!(store.orders_of(a).await.unwrap().iter().filter_map(|o| o.body.clone()).collect::<Vec<_>>(), ["one", "two"]);

        let node = Said { kind: AssignedKind::Cluster, ..said(subject(1), Phase::Failed, "{}") };
        assert!(!observe(&store, b, &[node], NOW).await.unwrap(), "that is no part of a cluster");
        assert!(observe(&store, b, &[said(subject(1), Phase::Ready, "{}"), said(subject(9), Phase::Ready, "{}")], NOW).await.unwrap());
        let row = only(store.assignments_of(b).await.unwrap());
        assert_eq!((row.progress, row.observed.as_deref(), row.heard), (Progress::Said(Phase::Ready), Some("{}"), Some(NOW)));
        assert_eq!(row.changed, NOW);
        assert_eq!(store.touched_after(last, 10).await.unwrap(), [(row.seq, b)]);

        assert!(!observe(&store, b, &[gone(subject(1))], NOW).await.unwrap(), "it is wanted: it cannot be gone");
        store.write_orders(&[OrderWrite::Remove { host: b, subject: subject(1) }], NOW).await.unwrap();
        assert!(!only(store.assignments_of(b).await.unwrap()).wanted);
        assert!(observe(&store, b, &[gone(subject(1))], NOW).await.unwrap());
        assert_eq!(only(store.assignments_of(b).await.unwrap()).progress, Progress::Gone);
        assert!(!observe(&store, b, &[gone(subject(1))], NOW).await.unwrap());
        store.write_orders(&[put(b, subject(1), "again")], NOW).await.unwrap();
        let row = only(store.assignments_of(b).await.unwrap());
        assert_eq!((row.progress, row.wanted), (Progress::Said(Phase::Waiting), true));
        store.write_orders(&[OrderWrite::Forget { host: b, subject: subject(1) }], NOW).await.unwrap();
        assert!(store.assignments_of(b).await.unwrap().is_empty());
    }

    async fn what_a_host_repeats_is_no_change(site: &Site) {
        let store = site.open().await;
        let a = insert(&store, host("a")).await.id;
        store.write_orders(&[put(a, subject(1), "one")], NOW).await.unwrap();
        let says = [said(subject(1), Phase::Ready, "fine")];
        assert!(observe(&store, a, &says, NOW).await.unwrap());
        let before = only(store.assignments_of(a).await.unwrap());
        assert!(!observe(&store, a, &says, NOW.after_seconds(59)).await.unwrap());
        assert_eq!(only(store.assignments_of(a).await.unwrap()), before);
        assert!(!observe(&store, a, &says, NOW.after_seconds(60)).await.unwrap());
        let after = only(store.assignments_of(a).await.unwrap());
        assert_eq!((after.seq, after.heard), (before.seq, Some(NOW.after_seconds(60))));
        assert!(observe(&store, a, &[said(subject(1), Phase::Ready, "other words")], NOW).await.unwrap());
    }

    async fn a_disk_written_anew_makes_void_what_was_said_and_a_removed_host_takes_its_rows(site: &Site) {
        let store = site.open().await;
        let a = insert(&store, host("a")).await;
        store.write_orders(&[put(a.id, subject(1), "one")], NOW).await.unwrap();
        observe(&store, a.id, &[said(subject(1), Phase::Ready, "fine")], NOW).await.unwrap();
        store.write_orders(&[OrderWrite::Void { host: a.id, subject: subject(1) }], NOW).await.unwrap();
        let row = only(store.assignments_of(a.id).await.unwrap());
        assert_eq!((row.progress, row.observed, row.wanted), (Progress::Said(Phase::Waiting), None, true));
        store.commit(Change::remove(a, NOW)).await.unwrap();
        assert!(store.all_assignments().await.unwrap().0.is_empty());
    }
}
