//! The audit log over HTTP: who sees what of it, that tampering shows, export, and how long it is kept; on both databases.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod desk;

use cairn_operator::{AuditLimits, prune_audit};
use cairn_store::Database;
use desk::{Desk, LOCAL};
use serde_json::{Value, json};

async fn verify(desk: &Desk) -> Value {
    let answer = desk.call(LOCAL, "GET /audit/verify", Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// Past the program: as somebody with the database's password would.
async fn tamper(desk: &Desk, statement: &'static str) {
    match &desk.database {
        Database::Sqlite => {
            let url = format!("sqlite://{}", desk.data().join("cairn.db").display());
            let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
            sqlx::query(statement).execute(&pool).await.unwrap();
            pool.close().await;
        }
        Database::Postgres(url) => {
            let pool = sqlx::PgPool::connect(url).await.unwrap();
            sqlx::query(statement).execute(&pool).await.unwrap();
            pool.close().await;
        }
    }
}

on_both_engines! {
    async fn the_chain_holds_until_somebody_writes_past_the_program(desk: &Desk) {
        desk.two_tenants().await;
        let whole = verify(desk).await;
        assert_eq!((whole["ok"].clone(), whole["from"].clone()), (json!(true), json!(1)), "{whole}");
        assert!(whole["entries"].as_u64().unwrap() > 5 && whole.get("broken").is_none(), "{whole}");
        tamper(desk, "UPDATE audit SET actor = 'mallory' WHERE seq = 3").await;
        let broken = verify(desk).await;
        assert_eq!((broken["ok"].clone(), broken["broken"]["seq"].clone()), (json!(false), json!(3)), "{broken}");
        tamper(desk, "DELETE FROM audit WHERE seq = 2").await;
        let gone = verify(desk).await;
        assert_eq!((gone["broken"]["seq"].clone(), gone["entries"].clone()), (json!(2), json!(1)), "{gone}");
        assert!(gone["broken"]["why"].as_str().unwrap().contains("missing"), "{gone}");
    }

    async fn rows_cut_off_the_end_show_too(desk: &Desk) {
        desk.two_tenants().await;
        tamper(desk, "DELETE FROM audit WHERE seq = (SELECT MAX(seq) FROM audit)").await;
        assert_eq!(verify(desk).await["ok"], false);
    }

    async fn an_auditor_sees_what_is_done_at_their_place_only(desk: &Desk) {
        desk.two_tenants().await;
        desk.make("Site", "retail.acme", "north", json!({})).await;
        desk.make("Site", "retail.other", "secret-site", json!({})).await;
        let anna = desk.log_in("anna").await;
        let get = async |path: &str| desk.call(&anna, &format!("GET {path}"), Value::Null).await;
        let seen = get("/audit?limit=500").await;
        assert_eq!(seen.status, 200, "{}", seen.text);
        let items = seen.json()["items"].as_array().unwrap().clone();
        assert!(!items.is_empty() && items.iter().all(|i| i["namespace"] == "retail.acme"
            || i["namespace"] == "acme" && i["kind"] == "Project" && i["name"] == "retail"), "{}", seen.text);
        assert!(items.iter().any(|i| i["name"] == "north"), "{}", seen.text);
        assert!(!seen.text.contains("secret-site") && !seen.text.contains("other"), "{}", seen.text);

        assert_eq!(get("/audit?namespace=retail.acme").await.status, 200);
        assert_eq!(get("/audit?namespace=retail.other").await.problem(), (404, "not-found".to_owned()));
        assert_eq!(get("/audit?namespace=nothing").await.problem(), (404, "not-found".to_owned()));
        assert_eq!(get("/audit?namespace=").await.problem(), (403, "forbidden".to_owned()));
        assert_eq!(get("/audit/verify").await.status, 403);
        desk.user("bob").await;
        desk.bind("bob", "viewer", "retail.acme").await;
        let bob = desk.log_in("bob").await;
        assert_eq!(desk.call(&bob, "GET /audit", Value::Null).await.problem(), (403, "forbidden".to_owned()));
    }

    async fn pages_and_filters_give_each_entry_once(desk: &Desk) {
        desk.two_tenants().await;
        let page = async |query: &str| {
            let answer = desk.call(LOCAL, &format!("GET /audit?{query}"), Value::Null).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            answer.json()
        };
        let (mut after, mut seqs) = (0, Vec::new());
        loop {
            let part = page(&format!("limit=3&after={after}")).await;
            seqs.extend(part["items"].as_array().unwrap().iter().map(|i| i["seq"].as_i64().unwrap()));
            match part["next"].as_i64() {
                Some(next) => after = next,
                None => break,
            }
        }
        assert_eq!(seqs, (1..=seqs.len() as i64).collect::<Vec<_>>());
        let kinds = page("kind=projects&verb=create&actor=setup").await;
        assert_eq!(kinds["items"].as_array().unwrap().len(), 2, "{kinds}");
        assert_eq!(page("since=2100-01-01T00:00:00Z").await["items"], json!([]));
        assert_eq!(page("since=2027-01-15T08:00:00Z").await["items"].as_array().unwrap().len(), seqs.len());
        for bad in ["limit=0", "limit=501", "since=yesterday", "kind=thing", "namespace=a.b.c", "colour=red"] {
            let answer = desk.call(LOCAL, &format!("GET /audit?{bad}"), Value::Null).await;
            assert_eq!(answer.status, 422, "{bad}: {}", answer.text);
        }
    }

    async fn an_export_is_whole_in_both_forms_and_noted_once(desk: &Desk) {
        desk.two_tenants().await;
        let get = async |query: &str| desk.call(LOCAL, &format!("GET /audit/export{query}"), Value::Null).await;
        let jsonl = get("").await;
        assert_eq!(jsonl.headers["content-type"], "application/jsonl");
        let entries: Vec<Value> = jsonl.text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(entries.len() as i64, entries.last().unwrap()["seq"].as_i64().unwrap());
        assert_eq!(entries.last().unwrap()["verb"], "audit.export");
        let syslog = get("?format=syslog").await;
        assert!(syslog.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
        assert_eq!(syslog.text.lines().count(), entries.len() + 1);
        assert!(syslog.text.lines().all(|l| l.starts_with("<109>1 2027-01-15T08:00:00Z - cairn - ")), "{}", syslog.text);
        let noted = desk.audited().await.iter().filter(|l| l.starts_with("audit.export")).count();
        assert_eq!(noted, 2);
        assert_eq!(get("?format=xml").await.status, 422);
        let tail = get("?after=3").await;
        assert!(tail.text.starts_with("{") && !tail.text.contains("\"seq\":3,"));
    }

    async fn old_entries_go_and_the_rest_still_holds(desk: &Desk) {
        desk.two_tenants().await;
        let before = verify(desk).await["entries"].as_u64().unwrap();
        desk.clock.advance(400 * 86_400);
        let limits = AuditLimits::default();
        assert_eq!(prune_audit(&desk.store, desk.now(), limits).await.unwrap(), 0, "not a moment early");
        desk.clock.advance(1);
        desk.make("Organisation", "", "later", json!({})).await;
        assert_eq!(prune_audit(&desk.store, desk.now(), limits).await.unwrap(), before);
        let rest = verify(desk).await;
        assert_eq!(rest["ok"], true, "{rest}");
        assert_eq!((rest["from"].as_u64(), rest["entries"].as_u64()), (Some(before + 1), Some(1)), "{rest}");
    }
}
