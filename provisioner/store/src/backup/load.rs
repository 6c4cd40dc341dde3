//! Reading a backup's file into an empty database.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::{
    RestoreError,
    format::{self, FORMAT, Header, Line, Type},
    tables,
};
use crate::{
    db::{Db, Statement, Tx, Value, sql},
    schema,
};

/// SHA-256 at the end of the file.
const TRAILER: u64 = 32;
/// Longest line: a host with the largest inventory is far below.
const LONGEST: u64 = 64 << 20;
/// Rows of one statement.
const TOGETHER: usize = 32;
/// Rows that wait for the database.
const WAITING: usize = 256;

/// A file whose SHA-256 holds, and what it says of itself.
#[derive(Debug)]
pub(super) struct Tables {
    path: PathBuf,
    /// Bytes before the SHA-256.
    size: u64,
    pub(super) header: Header,
}

/// Reads the whole file once, before anything is written.
pub(super) async fn check(path: &Path) -> Result<Tables, RestoreError> {
    let path = path.to_owned();
    let checked = tokio::task::spawn_blocking(move || {
        let failed = |source| RestoreError::File { path: path.clone(), source };
        let mut file = File::open(&path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len().checked_sub(TRAILER);
        let size = size.ok_or_else(|| RestoreError::Damaged { path: path.clone() })?;
        if !is_whole(&mut file, size).map_err(failed)? {
            return Err(RestoreError::Damaged { path });
        }
        let mut lines = Lines::open(&path, size)?;
        let header: Header = lines.next()?;
        match header {
            header if header.format != FORMAT => Err(RestoreError::Form { path, line: 1 }),
            header if header.schema > schema::newest() => {
                Err(RestoreError::Newer { found: header.schema, known: schema::newest() })
            }
            header => Ok(Tables { path, size, header }),
        }
    });
    checked.await.unwrap_or_else(|e| Err(WriteFailed::from(e).into()))
}

fn is_whole(file: &mut File, size: u64) -> io::Result<bool> {
    let mut hash = Sha256::new();
    io::copy(&mut Read::by_ref(file).take(size), &mut HashOnly(&mut hash))?;
    let mut trailer = Vec::new();
    file.take(TRAILER).read_to_end(&mut trailer)?;
    Ok(trailer.as_slice() == hash.finalize().as_slice())
}

struct HashOnly<'a>(&'a mut Sha256);

impl io::Write for HashOnly<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives the database the backup's schema, and makes sure that nobody's data is in it.
pub(super) async fn prepare(db: &Db, tables: &Tables) -> Result<(), RestoreError> {
    db.migrate_to(tables.header.schema).await.map_err(RestoreError::OtherSchema)?;
    if let Some(table) = with_rows(db).await? {
        return Err(RestoreError::NotEmpty { table });
    }
    Ok(())
}

/// A table in which somebody has put rows.
async fn with_rows(db: &Db) -> Result<Option<String>, RestoreError> {
    for table in tables::ALL {
        let text = match table.name {
            // What a migration puts there.
            "resource" => "SELECT 1 AS one FROM sequence WHERE name = 'change' AND last > 3".to_owned(),
            "sequence" => "SELECT 1 AS one FROM sequence WHERE name <> 'change' AND last > 0".to_owned(),
            "audit_anchor" => "SELECT 1 AS one FROM audit_anchor WHERE seq > 0".to_owned(),
            name => format!("SELECT 1 AS one FROM {name} LIMIT 1"),
        };
        if !sql(sqlx::AssertSqlSafe(text)).fetch_all(db.reader()).await?.is_empty() {
            return Ok(Some(table.name.to_owned()));
        }
    }
    Ok(None)
}

/// Puts all rows in, in one transaction, and brings the schema to this version's. How many rows there were.
pub(super) async fn load(db: &Db, tables: &Tables) -> Result<u64, RestoreError> {
    let (send, mut parts) = mpsc::channel(WAITING);
    let (path, size) = (tables.path.clone(), tables.size);
    let reader = tokio::task::spawn_blocking(move || read(&path, size, &send));
    let mut tx = db.begin().await?;
    tx.be_patient().await?;
    for (_, empty) in tables::SEEDED {
        sql(empty).execute(&mut tx).await?;
    }
    while let Some(part) = parts.recv().await {
        insert(&mut tx, &part).await?;
    }
    let rows = reader.await.unwrap_or_else(|e| Err(WriteFailed::from(e).into()))?;
    tx.commit().await?;
    db.migrate().await.map_err(RestoreError::OtherSchema)?;
    Ok(rows)
}

/// Some rows of one table.
#[derive(Debug)]
pub(super) struct Part {
    /// Up to `VALUES`.
    insert: String,
    columns: usize,
    rows: Vec<Vec<Value>>,
}

async fn insert(tx: &mut Tx, part: &Part) -> Result<(), RestoreError> {
    let row = |n: usize| {
        let first = n.saturating_mul(part.columns);
        let names: Vec<_> = (1..=part.columns).map(|c| format!("${}", first.saturating_add(c))).collect();
        format!("({})", names.join(", "))
    };
    let rows: Vec<_> = (0..part.rows.len()).map(row).collect();
    let query = sql(sqlx::AssertSqlSafe(format!("{} {}", part.insert, rows.join(", "))));
    part.rows.iter().flatten().cloned().fold(query, Statement::bind).execute(tx).await?;
    Ok(())
}

/// Reads to the end; says how many rows there were. Ends early when nobody takes them: the database failed, and says so.
pub(super) fn read(path: &Path, size: u64, send: &mpsc::Sender<Part>) -> Result<u64, RestoreError> {
    let mut lines = Lines::open(path, size)?;
    let _: Header = lines.next()?;
    let mut table: Option<(Part, Vec<Type>)> = None;
    let mut count: u64 = 0;
    loop {
        match lines.next()? {
            Line::Table { table: name, columns } => {
                pass_on(&mut table, send, 1);
                table = Some(begin(&name, columns).ok_or_else(|| lines.form())?);
            }
            Line::Row(row) => {
                let (part, types) = table.as_mut().ok_or_else(|| lines.form())?;
                part.rows.push(values(row, types).ok_or_else(|| lines.form())?);
                count = count.saturating_add(1);
                pass_on(&mut table, send, TOGETHER);
            }
            Line::End { rows } => {
                pass_on(&mut table, send, 1);
                return if rows == count { Ok(rows) } else { Err(lines.form()) };
            }
        }
    }
}

fn begin(name: &str, columns: Vec<(String, Type)>) -> Option<(Part, Vec<Type>)> {
    let fine =
        format::is_name(name) && !columns.is_empty() && columns.iter().all(|(c, _)| format::is_name(c));
    let names: Vec<_> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let insert = format!("INSERT INTO {name} ({}) VALUES", names.join(", "));
    let part = Part { insert, columns: columns.len(), rows: Vec::new() };
    fine.then(|| (part, columns.into_iter().map(|(_, r#type)| r#type).collect()))
}

fn values(row: Vec<Json>, types: &[Type]) -> Option<Vec<Value>> {
    if row.len() != types.len() {
        return None;
    }
    row.into_iter().zip(types).map(|(json, of)| format::value(json, *of)).collect()
}

/// Hands the rows on when there are at least `least`.
fn pass_on(table: &mut Option<(Part, Vec<Type>)>, send: &mpsc::Sender<Part>, least: usize) {
    let Some((part, _)) = table.as_mut().filter(|(part, _)| part.rows.len() >= least) else { return };
    let rows = std::mem::take(&mut part.rows);
    let _ = send.blocking_send(Part { insert: part.insert.clone(), columns: part.columns, rows });
}

/// The lines of a file, decompressed and bounded.
struct Lines {
    path: PathBuf,
    input: BufReader<zstd::stream::read::Decoder<'static, BufReader<io::Take<File>>>>,
    number: u64,
}

impl Lines {
    fn open(path: &Path, size: u64) -> Result<Self, RestoreError> {
        let failed = |source| RestoreError::File { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let decoder = zstd::stream::read::Decoder::new(file.take(size)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), input: BufReader::new(decoder), number: 0 })
    }

    /// The next line. There must be one: the last says that it is.
    fn next<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, RestoreError> {
        self.number = self.number.saturating_add(1);
        let mut line = Vec::new();
        let read = Read::by_ref(&mut self.input).take(LONGEST).read_until(b'\n', &mut line);
        if read.is_err() || line.last() != Some(&b'\n') {
            return Err(self.form());
        }
        serde_json::from_slice(&line).map_err(|_| self.form())
    }

    fn form(&self) -> RestoreError {
        RestoreError::Form { path: self.path.clone(), line: self.number }
    }
}

/// A thread of ours ended before its time.
struct WriteFailed(tokio::task::JoinError);

impl From<tokio::task::JoinError> for WriteFailed {
    fn from(error: tokio::task::JoinError) -> Self {
        Self(error)
    }
}

impl From<WriteFailed> for RestoreError {
    fn from(failed: WriteFailed) -> Self {
        Self::Write(sqlx::Error::Io(io::Error::other(failed.0)).into())
    }
}
