//! Tests that the queries which run all the time find their rows by an index, whatever the size of the tables.

use cairn_contract::{HostId, Timestamp};
use cairn_domain::{Level, Note};
use uuid::Uuid;

use crate::{
    Line, Store, Whose, assignments, audit, bootstrap, changes, db::sql, history, host, resource, row,
    secrets,
};

/// What SQLite would do, one step a line.
async fn plan(store: &Store, text: &'static str) -> String {
    let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
    let mut query = sql(explained);
    for _ in 0..text.matches('$').count() {
        query = query.bind(1_i64);
    }
    let rows = query.fetch_all(store.reader()).await.unwrap();
    rows.iter().map(|r| row::text(r, "detail").unwrap()).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn frequent_queries_use_an_index_and_sort_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let page = plan(&store, history::PAGE).await;
    assert!(page.contains("USING INDEX history_by_subject (subject=? AND seq>?)"), "{page}");
    assert!(!page.contains("TEMP B-TREE"), "{page}");
    let due = plan(&store, host::DUE).await;
    assert!(due.contains("USING INDEX host_by_deadline (deadline<?)"), "{due}");
    assert!(!due.contains("TEMP B-TREE"), "{due}");
    let changes = plan(&store, changes::AFTER).await;
    assert!(changes.contains("USING INDEX") && changes.contains("(rv>?)"), "{changes}");
    assert!(!changes.contains("TEMP B-TREE"), "{changes}");
    let premise = plan(&store, resource::NEWER).await;
    assert!(premise.contains("(rv>?)"), "{premise}");
    let audit = plan(&store, audit::PAGE).await;
    assert!(audit.contains("(seq>?)") && !audit.contains("TEMP B-TREE"), "{audit}");
    for (text, index) in [
        (assignments::AFTER, "assignment_by_seq (seq>?)"),
        (assignments::TOUCHED, "assignment_by_seq (seq>?)"),
        (assignments::OF_SUBJECT, "assignment_by_subject (subject=?)"),
        (assignments::OF_HOST, "(host=?)"),
        (assignments::ORDERS, "(host=?)"),
        (assignments::ORDER, "(host=? AND subject=?)"),
        (secrets::KEYS, "(owner=?)"),
        (bootstrap::GOOD, "bootstrap_token_by_cluster (cluster=?)"),
    ] {
        let steps = plan(&store, text).await;
        assert!(steps.contains(index) && !steps.contains("SCAN"), "{text}: {steps}");
    }
    let key = plan(&store, host::BY_KEY).await;
    assert!(!key.contains("SCAN"), "{key}");
}

#[tokio::test]
async fn a_page_of_a_long_timeline_is_the_page_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (host, other) = (HostId(Uuid::new_v4()), HostId(Uuid::new_v4()));
    let line = |i: i64| {
        let whose = Whose::Host(if i % 2 == 0 { host } else { other });
        Line { whose, at: Timestamp(i), note: Note::new(Level::Info, "n", format!("line {i}")), state: None }
    };
    store.notes(&(0..10_000).map(line).collect::<Vec<_>>()).await.unwrap();
    let mut seen = Vec::new();
    let mut after = 0;
    loop {
        let page = store.timeline(host, after, 300).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.seq;
        assert!(page.len() <= 300);
        seen.extend(page.into_iter().map(|e| e.at.0));
    }
    assert_eq!(seen, (0..10_000).step_by(2).collect::<Vec<i64>>());
    let tail = store.timeline_tail(host, 3).await.unwrap();
    assert_eq!(tail.iter().map(|e| e.at.0).collect::<Vec<_>>(), [9994, 9996, 9998]);
}
