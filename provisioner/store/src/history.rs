//! Timelines: of a host, of an address that no host has, of the site. Append only, each bounded.

use cairn_contract::{HostId, Mac, Timestamp};
use cairn_domain::{Note, timeline::Entry};

use crate::{
    ReadError, Store, WriteError,
    db::{Row, Sequence, Tx, sql},
    host,
    host::Visible,
    machines, row,
};

/// Lines kept of one address without a host.
pub(crate) const MACHINE_LINES: i64 = 1000;
/// Lines kept of the site.
const SITE_LINES: i64 = 10_000;
/// Lines kept of one host, beyond those that tell of a new state.
const HOST_LINES: i64 = 50_000;
/// Long timelines are cut when a sequence number divisible by this comes by: looking for the end costs some time.
const CUT_EVERY: i64 = 256;

/// On whose timeline a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// A host's.
    Host(HostId),
    /// A machine's that no host record names.
    Machine(Mac),
    /// The site's own.
    Site,
}

/// One line to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// On whose timeline.
    pub whose: Whose,
    /// When.
    pub at: Timestamp,
    /// What.
    pub note: Note,
    /// The state that it led to, when it changed one.
    pub state: Option<&'static str>,
}

impl Whose {
    fn subject(self) -> String {
        match self {
            Self::Host(id) => host::subject(id),
            Self::Machine(mac) => machines::subject(mac),
            Self::Site => "site".to_owned(),
        }
    }
}

impl Store {
    /// Writes one line that changes no state.
    pub async fn note(&self, whose: Whose, at: Timestamp, note: Note) -> Result<(), WriteError> {
        self.notes(&[Line { whose, at, note, state: None }]).await
    }

    /// Writes many lines in one transaction.
    pub async fn notes(&self, lines: &[Line]) -> Result<(), WriteError> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        write(&mut tx, lines).await?;
        Ok(self.finish(tx, Visible::No).await?)
    }

    /// A host's lines after `after` (0: from the start), oldest first, with those of its addresses from before it was known.
    pub async fn timeline(&self, host: HostId, after: i64, limit: u32) -> Result<Vec<Entry>, ReadError> {
        let mut entries = Vec::new();
        for subject in self.subjects(host).await? {
            entries.extend(self.page(&subject, after, limit).await?);
        }
        entries.sort_by_key(|e| e.seq);
        entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(entries)
    }

    /// The newest `limit` lines of a host, oldest first.
    pub async fn timeline_tail(&self, host: HostId, limit: u32) -> Result<Vec<Entry>, ReadError> {
        let mut entries = Vec::new();
        for subject in self.subjects(host).await? {
            let rows = sql("SELECT * FROM history WHERE subject = $1 ORDER BY seq DESC LIMIT $2")
                .bind(subject)
                .bind(limit)
                .fetch_all(self.reader())
                .await?;
            entries.extend(rows.iter().map(entry_of).collect::<Result<Vec<_>, _>>()?);
        }
        entries.sort_by_key(|e| e.seq);
        let extra = entries.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        entries.drain(..extra);
        Ok(entries)
    }

    /// The lines of a host that tell of a new state, oldest first: for `timeline::phases`.
    pub async fn state_changes(&self, host: HostId, limit: u32) -> Result<Vec<Entry>, ReadError> {
        let rows =
            sql("SELECT * FROM history WHERE subject = $1 AND state IS NOT NULL ORDER BY seq DESC LIMIT $2")
                .bind(host::subject(host))
                .bind(limit)
                .fetch_all(self.reader())
                .await?;
        rows.iter().rev().map(entry_of).collect()
    }

    /// The site's own lines after `after`, oldest first.
    pub async fn site_timeline(&self, after: i64, limit: u32) -> Result<Vec<Entry>, ReadError> {
        self.page("site", after, limit).await
    }

    /// What was noted of an address while no host had it, after `after`, oldest first.
    pub async fn machine_timeline(&self, mac: Mac, after: i64, limit: u32) -> Result<Vec<Entry>, ReadError> {
        self.page(&machines::subject(mac), after, limit).await
    }

    /// The host and its addresses: a handful, each read by the index.
    async fn subjects(&self, host: HostId) -> Result<Vec<String>, ReadError> {
        let rows = sql("SELECT DISTINCT value FROM host_key WHERE host = $1 AND kind = 'mac'")
            .bind(host.to_string())
            .fetch_all(self.reader())
            .await?;
        let macs = rows.iter().map(|r| Ok(machines::subject(row::parsed(r, "value")?)));
        std::iter::once(Ok(host::subject(host))).chain(macs).collect()
    }

    async fn page(&self, subject: &str, after: i64, limit: u32) -> Result<Vec<Entry>, ReadError> {
        let rows = sql(PAGE).bind(subject).bind(after).bind(limit).fetch_all(self.reader()).await?;
        rows.iter().map(entry_of).collect()
    }
}

/// One page of one timeline.
pub(crate) const PAGE: &str = "SELECT * FROM history WHERE subject = $1 AND seq > $2 ORDER BY seq LIMIT $3";

/// Appends `lines` and cuts what is too long.
pub(crate) async fn write(tx: &mut Tx, lines: &[Line]) -> Result<(), WriteError> {
    let Ok(count @ 1..) = i64::try_from(lines.len()) else { return Ok(()) };
    let last = tx.take(Sequence::History, count).await?;
    for (line, seq) in lines.iter().zip(last.saturating_sub(count).saturating_add(1)..) {
        insert(tx, line, seq).await?;
    }
    Ok(())
}

async fn insert(tx: &mut Tx, line: &Line, seq: i64) -> Result<(), WriteError> {
    let subject = line.whose.subject();
    sql(
        "INSERT INTO history (seq, subject, at, level, code, text, state) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(seq)
    .bind(&subject)
    .bind(line.at.0)
    .bind(row::as_word(&line.note.level)?)
    .bind(line.note.code.as_ref())
    .bind(&line.note.text)
    .bind(line.state)
    .execute(&mut *tx)
    .await?;
    match line.whose {
        Whose::Machine(mac) => {
            machines::touch(tx, mac, line.at, seq).await?;
            cut(tx, &subject, MACHINE_LINES).await
        }
        Whose::Site if seq % CUT_EVERY == 0 => cut(tx, &subject, SITE_LINES).await,
        Whose::Host(_) if seq % CUT_EVERY == 0 => cut(tx, &subject, HOST_LINES).await,
        Whose::Site | Whose::Host(_) => Ok(()),
    }
}

/// Keeps the newest `keep` lines, and older ones that tell of a new state.
async fn cut(tx: &mut Tx, subject: &str, keep: i64) -> Result<(), WriteError> {
    sql("DELETE FROM history WHERE subject = $1 AND state IS NULL AND seq <= \
         (SELECT seq FROM history WHERE subject = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2)")
    .bind(subject)
    .bind(keep)
    .execute(tx)
    .await?;
    Ok(())
}

pub(crate) fn entry_of(row: &Row) -> Result<Entry, ReadError> {
    Ok(Entry {
        seq: row::number(row, "seq")?,
        at: row::time(row, "at")?,
        note: Note {
            level: row::word(row, "level")?,
            code: row::text(row, "code")?.into(),
            text: row::text(row, "text")?,
        },
        state: row::maybe_text(row, "state")?,
    })
}
