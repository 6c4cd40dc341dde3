//! The lines of a backup's file.

use cairn_contract::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::db::Value;

/// The only form so far.
pub(super) const FORMAT: &str = "cairn-backup/1";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) format: String,
    /// Version of the newest migration that the tables have.
    pub(super) schema: i64,
    pub(super) created: Timestamp,
    pub(super) revision: i64,
    /// Rows of all tables; only after the dump, in the last line of the file.
    #[serde(skip)]
    pub(super) rows: u64,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Type {
    Text,
    Number,
}

/// Any later line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Line {
    /// A table begins.
    Table { table: String, columns: Vec<(String, Type)> },
    /// A row of the table.
    Row(Vec<Json>),
    /// The end.
    End { rows: u64 },
}

/// A value of a column; `None` when it is of another type.
pub(super) fn value(json: Json, r#type: Type) -> Option<Value> {
    match (json, r#type) {
        (Json::Null, Type::Text) => Some(Value::Text(None)),
        (Json::Null, Type::Number) => Some(Value::Number(None)),
        (Json::String(text), Type::Text) => Some(text.into()),
        (Json::Number(number), Type::Number) => Some(number.as_i64()?.into()),
        _ => None,
    }
}

/// Whether it can be the name of a table or column: it goes into SQL as it is.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
