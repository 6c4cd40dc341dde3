//! Columns to typed values. Whatever does not parse is [`ReadError::Corrupt`], never a panic.

use std::{error::Error, str::FromStr};

use crate::{ReadError, db::Row};
use cairn_contract::Timestamp;
use serde::de::DeserializeOwned;

pub(crate) fn text(row: &Row, column: &'static str) -> Result<String, ReadError> {
    maybe_text(row, column)?.ok_or_else(|| corrupt(column, std::io::Error::other("it is NULL")))
}

pub(crate) fn maybe_text(row: &Row, column: &'static str) -> Result<Option<String>, ReadError> {
    Ok(row.text(column)?)
}

pub(crate) fn number(row: &Row, column: &'static str) -> Result<i64, ReadError> {
    maybe_number(row, column)?.ok_or_else(|| corrupt(column, std::io::Error::other("it is NULL")))
}

pub(crate) fn maybe_number(row: &Row, column: &'static str) -> Result<Option<i64>, ReadError> {
    Ok(row.number(column)?)
}

pub(crate) fn natural(row: &Row, column: &'static str) -> Result<u64, ReadError> {
    u64::try_from(number(row, column)?).map_err(|e| corrupt(column, e))
}

pub(crate) fn time(row: &Row, column: &'static str) -> Result<Timestamp, ReadError> {
    number(row, column).map(Timestamp)
}

pub(crate) fn maybe_time(row: &Row, column: &'static str) -> Result<Option<Timestamp>, ReadError> {
    Ok(maybe_number(row, column)?.map(Timestamp))
}

/// A value that has a text form.
pub(crate) fn parsed<T>(row: &Row, column: &'static str) -> Result<T, ReadError>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    text(row, column)?.parse().map_err(|e| corrupt(column, e))
}

/// A value that has a JSON form.
pub(crate) fn json<T: DeserializeOwned>(row: &Row, column: &'static str) -> Result<T, ReadError> {
    serde_json::from_str(&text(row, column)?).map_err(|e| corrupt(column, e))
}

/// A value that has a JSON form, or NULL.
pub(crate) fn maybe_json<T: DeserializeOwned>(
    row: &Row,
    column: &'static str,
) -> Result<Option<T>, ReadError> {
    let text = maybe_text(row, column)?;
    text.map(|t| serde_json::from_str(&t)).transpose().map_err(|e| corrupt(column, e))
}

/// A value whose JSON form is one plain word.
pub(crate) fn word<T: DeserializeOwned>(row: &Row, column: &'static str) -> Result<T, ReadError> {
    let word = serde_json::Value::String(text(row, column)?);
    serde_json::from_value(word).map_err(|e| corrupt(column, e))
}

/// Such a value, or NULL.
pub(crate) fn maybe_word<T: DeserializeOwned>(
    row: &Row,
    column: &'static str,
) -> Result<Option<T>, ReadError> {
    maybe_text(row, column)?.map(|_| word(row, column)).transpose()
}

/// The one plain word that `value` is in JSON.
pub(crate) fn as_word<T: serde::Serialize>(value: &T) -> Result<String, serde_json::Error> {
    serde_json::to_value(value).map(|v| v.as_str().unwrap_or_default().to_owned())
}

pub(crate) fn corrupt(column: &'static str, source: impl Error + Send + Sync + 'static) -> ReadError {
    ReadError::Corrupt { column, source: Box::new(source) }
}
