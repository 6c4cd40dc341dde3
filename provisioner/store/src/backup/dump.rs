//! Writing all tables, as of one moment, into one file.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use cairn_contract::Timestamp;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::{
    BackupError,
    format::{FORMAT, Header, Line, Type},
    tables::{self, Table},
};
use crate::{
    ReadError,
    db::{self, Db, Row, Sequence, Tx, Value, sql},
    row, schema,
};

/// Rows that are read at a time.
const PAGE: u32 = 1000;
/// Pages that wait for the disk.
const WAITING: usize = 4;

/// Writes `file`, which is there when it is complete.
pub(super) async fn dump(db: &Db, file: &Path, at: Timestamp) -> Result<Header, BackupError> {
    let mut tx = db.snapshot().await.map_err(ReadError::from)?;
    tx.be_patient().await.map_err(ReadError::from)?;
    let (format, revision) = (FORMAT.to_owned(), tx.last(Sequence::Change).await?);
    let mut header = Header { format, schema: schema::newest(), created: at, revision, rows: 0 };
    let (pages, writer) = writer(file);
    let read = read(&mut tx, &mut header, pages).await;
    let written = writer.await.unwrap_or_else(|e| Err(io::Error::other(e)));
    written.map_err(|source| BackupError::File { path: file.to_owned(), source })?;
    read?;
    Ok(header)
}

/// Reads everything, and gives it to the writer. A writer that failed takes nothing more; it says why itself.
async fn read(tx: &mut Tx, header: &mut Header, pages: mpsc::Sender<Part>) -> Result<(), ReadError> {
    let mut first = Vec::new();
    line(&mut first, &header)?;
    let _ = pages.send(Part::Lines(first)).await;
    for table in tables::ALL {
        let columns = table.columns.iter().map(|(name, of)| ((*name).to_owned(), *of)).collect();
        let mut lines = Vec::new();
        line(&mut lines, &Line::Table { table: table.name.to_owned(), columns })?;
        let mut after: Option<Vec<Value>> = None;
        loop {
            let rows = page(tx, table, after.as_deref()).await?;
            for row in &rows {
                line(&mut lines, &Line::Row(values(table, row)?))?;
                header.rows = header.rows.saturating_add(1);
            }
            let _ = pages.send(Part::Lines(std::mem::take(&mut lines))).await;
            let Some(last) = rows.last() else { break };
            after = Some(key(table, last)?);
        }
    }
    let mut end = Vec::new();
    line(&mut end, &Line::End { rows: header.rows })?;
    let _ = pages.send(Part::Lines(end)).await;
    let _ = pages.send(Part::End).await;
    Ok(())
}

async fn page(tx: &mut Tx, table: &Table, after: Option<&[Value]>) -> Result<Vec<Row>, ReadError> {
    let key: Vec<_> = table.columns.iter().take(table.key).map(|(name, _)| *name).collect();
    let (name, key) = (table.name, key.join(", "));
    let text = match after {
        None => format!("SELECT * FROM {name} ORDER BY {key} LIMIT {PAGE}"),
        Some(_) => {
            let given: Vec<_> = (1..=table.key).map(|n| format!("${n}")).collect();
            let given = given.join(", ");
            format!("SELECT * FROM {name} WHERE ({key}) > ({given}) ORDER BY {key} LIMIT {PAGE}")
        }
    };
    let query = sql(sqlx::AssertSqlSafe(text));
    let query = after.into_iter().flatten().cloned().fold(query, db::Statement::bind);
    Ok(query.fetch_all(tx).await?)
}

fn key(table: &Table, row: &Row) -> Result<Vec<Value>, ReadError> {
    let value = |(name, of): &(&'static str, Type)| match of {
        Type::Text => row::text(row, name).map(Value::from),
        Type::Number => row::number(row, name).map(Value::from),
    };
    table.columns.iter().take(table.key).map(value).collect()
}

fn values(table: &Table, row: &Row) -> Result<Vec<Json>, ReadError> {
    let value = |(name, of): &(&'static str, Type)| match of {
        Type::Text => row::maybe_text(row, name).map(Json::from),
        Type::Number => row::maybe_number(row, name).map(Json::from),
    };
    table.columns.iter().map(value).collect()
}

fn line(out: &mut Vec<u8>, value: &impl serde::Serialize) -> Result<(), ReadError> {
    serde_json::to_writer(&mut *out, value).map_err(|e| row::corrupt("row", e))?;
    out.push(b'\n');
    Ok(())
}

/// What the writing thread gets. Without the end the file is not finished.
enum Part {
    Lines(Vec<u8>),
    End,
}

fn writer(file: &Path) -> (mpsc::Sender<Part>, tokio::task::JoinHandle<io::Result<()>>) {
    let (send, receive) = mpsc::channel(WAITING);
    let file = file.to_owned();
    (send, tokio::task::spawn_blocking(move || write(&file, receive)))
}

fn write(file: &Path, mut parts: mpsc::Receiver<Part>) -> io::Result<()> {
    let folder = file.parent().map(Path::to_owned).unwrap_or_else(|| PathBuf::from("."));
    fs::create_dir_all(&folder)?;
    let unfinished = file.with_extension("part");
    let mut hashed = Hashed { inner: BufWriter::new(private(&unfinished)?), hash: Sha256::new() };
    let mut encoder = zstd::stream::write::Encoder::new(&mut hashed, 3)?;
    loop {
        match parts.blocking_recv() {
            Some(Part::Lines(lines)) => encoder.write_all(&lines)?,
            Some(Part::End) => break,
            // The reader failed and says why.
            None => return fs::remove_file(&unfinished),
        }
    }
    encoder.finish()?;
    let Hashed { mut inner, hash } = hashed;
    inner.write_all(&hash.finalize())?;
    inner.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&unfinished, file)?;
    File::open(folder)?.sync_all()
}

/// It holds hashes of secrets.
fn private(file: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)
}

struct Hashed<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
