//! What several provisioners share beside hosts: the audit chain, duties, sessions, tickets.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

mod setup;

use cairn_contract::Timestamp;
use cairn_domain::{
    audit::{Deed, Outcome},
    model::{Kind, Uid},
};
use cairn_store::{AuditFilter, AuditFlaw, Duty, Session, Store, Taken, audit_digest};
use serde_json::json;
use setup::{NOW, alice, ek, engines::Site};
use sqlx::{ConnectOptions as _, Executor as _};
use uuid::Uuid;

fn deed(verb: &str, namespace: &str) -> Deed {
    Deed {
        actor: alice(),
        verb: verb.into(),
        kind: Some(Kind::Host),
        uid: Some(Uid(Uuid::from_u128(9))),
        namespace: namespace.parse().unwrap(),
        name: "till\0-7".into(),
        outcome: Outcome::Refused,
        reason: "no right".into(),
        before: None,
        after: Some(json!({"b": [1.5, {"z": 1, "a": null}], "a": "\u{0}ü"})),
    }
}

/// Changes the database behind the store's back.
async fn tamper(site: &Site, sql: &'static str) {
    match &site.database {
        cairn_store::Database::Sqlite => {
            let file = sqlx::sqlite::SqliteConnectOptions::new().filename(site.dir().join("cairn.db"));
            file.connect().await.unwrap().execute(sql).await.unwrap();
        }
        cairn_store::Database::Postgres(url) => {
            let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
            options.connect().await.unwrap().execute(sql).await.unwrap();
        }
    }
}

async fn fill(store: &Store) {
    for i in 0..12 {
        let namespace = if i % 2 == 0 { "retail.acme" } else { "acme" };
        store.audit(Timestamp(i), &[deed("get", namespace), deed("delete", "")]).await.unwrap();
    }
}

on_both_engines! {
    async fn the_chain_holds_and_pages_are_filtered(site: &Site) {
        let store = site.open().await;
        fill(&store).await;
        let verified = store.verify_audit().await.unwrap();
        assert_eq!((verified.after, verified.entries, &verified.flaw), (0, 24, &None));
        let all = store.audit_after(0, &AuditFilter::default(), 100).await.unwrap();
        assert_eq!(all.last().unwrap().hash, verified.hash);
        assert_eq!(audit_digest(&all[5]).unwrap(), all[5].hash, "anybody can compute it from what is exported");
        assert_eq!(all[5].prev, all[4].hash);
        let count = async |filter: AuditFilter| store.audit_after(0, &filter, 100).await.unwrap().len();
        let within = |space: &str| AuditFilter { within: Some(space.parse().unwrap()), ..AuditFilter::default() };
        assert_eq!(count(within("acme")).await, 12);
        assert_eq!(count(within("retail.acme")).await, 6);
        assert_eq!(count(within("")).await, 24);
        assert_eq!(count(AuditFilter { verb: Some("get".into()), since: Some(Timestamp(10)), ..AuditFilter::default() }).await, 2);
        assert_eq!(count(AuditFilter { outcome: Some(Outcome::Done), ..AuditFilter::default() }).await, 0);
        let page = store.audit_after(3, &AuditFilter { kind: Some(Kind::Host), ..AuditFilter::default() }, 2).await.unwrap();
        assert_eq!(page.iter().map(|e| e.seq).collect::<Vec<_>>(), [4, 5]);
    }

    async fn what_is_cut_off_the_front_leaves_a_chain_that_holds(site: &Site) {
        let store = site.open().await;
        fill(&store).await;
        assert_eq!(store.prune_audit(Timestamp(4), 1000).await.unwrap(), 8);
        let verified = store.verify_audit().await.unwrap();
        assert_eq!((verified.after, verified.entries, verified.flaw), (8, 16, None));
        assert_eq!(store.prune_audit(Timestamp(99), 1000).await.unwrap(), 16);
        store.audit(NOW, &[deed("get", "")]).await.unwrap();
        let verified = store.verify_audit().await.unwrap();
        assert_eq!((verified.after, verified.entries, verified.flaw), (24, 1, None));
    }

    async fn every_forgery_shows(site: &Site) {
        let store = site.open().await;
        fill(&store).await;
        let flaw = async || store.verify_audit().await.unwrap().flaw;
        tamper(site, "UPDATE audit SET actor = 'mallory' WHERE seq = 5").await;
        assert_eq!(flaw().await, Some(AuditFlaw::Changed { seq: 5 }));
        tamper(site, "UPDATE audit SET actor = 'alice' WHERE seq = 5").await;
        assert_eq!(flaw().await, None);
        tamper(site, "DELETE FROM audit WHERE seq = 24").await;
        assert_eq!(flaw().await, Some(AuditFlaw::Missing { expected: 24 }));
        tamper(site, "DELETE FROM audit WHERE seq = 7").await;
        assert_eq!(flaw().await, Some(AuditFlaw::Missing { expected: 7 }));
        tamper(site, "UPDATE audit SET outcome = 'dreamt' WHERE seq = 3").await;
        assert_eq!(flaw().await, Some(AuditFlaw::Changed { seq: 3 }));
        tamper(site, "DELETE FROM audit WHERE seq = 1").await;
        assert_eq!(flaw().await, Some(AuditFlaw::Missing { expected: 1 }));
    }

    async fn a_duty_has_one_holder_until_it_ends(site: &Site) {
        let store = site.open().await;
        let take = async |holder: &str, at: u32| {
            let duty = Duty { holder: holder.into(), until: NOW.after_seconds(at + 10) };
            store.take_duty("outbox", &duty, NOW.after_seconds(at)).await.unwrap()
        };
        assert_eq!(take("one", 0).await, Taken::Yes);
        assert_eq!(take("two", 9).await, Taken::No);
        assert_eq!(take("one", 5).await, Taken::Yes, "renewed");
        assert_eq!(take("two", 14).await, Taken::No);
        assert_eq!(take("two", 15).await, Taken::Yes, "run out");
        store.release_duty("outbox", "one").await.unwrap();
        assert_eq!(store.duty("outbox").await.unwrap().unwrap().holder, "two");
        store.release_duty("outbox", "two").await.unwrap();
        assert_eq!(take("one", 16).await, Taken::Yes);
        assert_eq!(store.duty("deadlines").await.unwrap(), None);
    }

    async fn sessions_begin_and_end(site: &Site) {
        let store = site.open().await;
        let session = |seed: &str, created: Timestamp| Session {
            sha256: ek(seed),
            user: Uid(Uuid::from_u128(1)),
            principal: "{}".into(),
            created,
            expires: created.after_seconds(60),
            last_seen: created,
        };
        let (one, two) = (session("one", NOW), session("two", NOW.after_seconds(1)));
        store.begin_session(&one, &[deed("login", "")]).await.unwrap();
        store.begin_session(&two, &[]).await.unwrap();
        store.session_seen(&two.sha256, NOW.after_seconds(30)).await.unwrap();
        assert_eq!(store.session(&one.sha256).await.unwrap(), Some(one.clone()));
        let of_user = store.sessions_of(one.user).await.unwrap();
        assert_eq!(of_user.iter().map(|s| s.last_seen).collect::<Vec<_>>(), [NOW.after_seconds(30), NOW]);
        store.end_session(&two.sha256, NOW, &[deed("logout", "")]).await.unwrap();
        assert_eq!(store.session(&two.sha256).await.unwrap(), None);
        assert_eq!(store.forget_sessions(NOW.after_seconds(60)).await.unwrap(), 1);
        let verbs = store.audit_after(0, &AuditFilter::default(), 9).await.unwrap();
        assert_eq!(verbs.iter().map(|e| e.deed.verb.as_str()).collect::<Vec<_>>(), ["login", "logout"]);
    }

    async fn a_ticket_is_taken_once_and_in_time(site: &Site) {
        let store = site.open().await;
        store.put_ticket("code", "value", NOW.after_seconds(10)).await.unwrap();
        let both = tokio::join!(store.take_ticket("code", NOW), store.take_ticket("code", NOW));
        let mut both = [both.0.unwrap(), both.1.unwrap()];
        both.sort();
        assert_eq!(both, [None, Some("value".to_owned())]);
        store.put_ticket("code", "late", NOW).await.unwrap();
        assert_eq!(store.take_ticket("code", NOW).await.unwrap(), None);
        store.put_ticket("code", "late", NOW).await.unwrap();
        assert_eq!(store.forget_tickets(NOW).await.unwrap(), 1);
    }
}
