//! That the list of tables is the schema's.

use std::collections::BTreeSet;

use super::{format::Type, tables};
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
