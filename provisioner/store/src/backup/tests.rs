//! That the list of tables is the schema's, and that no file makes the reader panic.

use std::collections::BTreeSet;

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::{RestoreError, format::Type, load, tables};
use crate::{Store, db::sql, row};

#[tokio::test]
async fn every_table_with_every_column_is_in_a_backup() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let columns = sql("SELECT m.name AS of_table, c.name AS column_name, c.type AS column_type, c.pk AS pk \
         FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' \
         AND m.name NOT IN ('_sqlx_migrations', 'duty')");
    let mut schema = BTreeSet::new();
    for row in columns.fetch_all(store.reader()).await.unwrap() {
        let text = |column| row::text(&row, column).unwrap();
        let key = row::number(&row, "pk").unwrap();
        schema.insert((text("of_table"), text("column_name"), text("column_type"), key));
    }
    let mut listed = BTreeSet::new();
    for table in tables::ALL {
        for (i, (column, of)) in (1_i64..).zip(table.columns) {
            let of = if *of == Type::Text { "TEXT" } else { "BIGINT" };
            let key = if i <= i64::try_from(table.key).unwrap() { i } else { 0 };
            listed.insert((table.name.to_owned(), (*column).to_owned(), of.to_owned(), key));
        }
    }
    assert_eq!(listed, schema);
}

/// A file with these bytes as its lines, and a SHA-256 that fits.
fn read(lines: &[u8]) -> Result<u64, RestoreError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tables.zst");
    let mut bytes = zstd::stream::encode_all(lines, 1).unwrap();
    let size = u64::try_from(bytes.len()).unwrap();
    bytes.extend(Sha256::digest(&bytes));
    std::fs::write(&path, bytes).unwrap();
    let (send, mut parts) = mpsc::channel(256);
    let taker = std::thread::spawn(move || while parts.blocking_recv().is_some() {});
    let read = load::read(&path, size, &send);
    drop(send);
    taker.join().unwrap();
    read
}

/// Lines that are nearly right.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(r#"{"format":"cairn-backup/1","schema":2,"created":1,"revision":3}"#.to_owned()),
        Just(r#"{"table":"lease","columns":[["ip","text"],["record","text"]]}"#.to_owned()),
        Just(r#"{"table":"sequence","columns":[["name","text"],["last","number"]]}"#.to_owned()),
        Just(r#"["a","b"]"#.to_owned()),
        Just(r#"["a",1]"#.to_owned()),
        Just(r#"["a",1e99]"#.to_owned()),
        Just(r#"[null,null]"#.to_owned()),
        Just(r#"{"rows":1}"#.to_owned()),
        r#"[\[\]{}",:a-z0-9]{0,30}"#,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_lines_make_the_reader_panic(lines in proptest::collection::vec(line(), 0..12), end in any::<bool>()) {
        let text = lines.join("\n") + if end { "\n" } else { "" };
        // It may be right by chance: then its count is.
        if let Ok(rows) = read(text.as_bytes()) {
            let end = format!("{{\"rows\":{rows}}}");
            prop_assert!(lines.contains(&end));
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&bytes).is_err());
    }
}

#[test]
fn a_small_backup_reads() {
    let lines = concat!(
        r#"{"format":"cairn-backup/1","schema":2,"created":1,"revision":3}"#,
        "\n",
        r#"{"table":"lease","columns":[["ip","text"],["record","text"]]}"#,
        "\n",
        r#"["10.0.0.1",null]"#,
        "\n",
        r#"{"rows":1}"#,
        "\n",
    );
    assert_eq!(read(lines.as_bytes()).unwrap(), 1);
}
