//! Lines of all timelines together, in the order in which they were written.

use cairn_domain::timeline::Entry;

use crate::{
    ReadError, Store, Whose,
    db::{Row, sql},
    history, row,
};

impl Store {
    /// Lines before `before`, the newest first.
    pub async fn lines_before(&self, before: i64, limit: u32) -> Result<Vec<(Whose, Entry)>, ReadError> {
        let rows = sql(BEFORE).bind(before).bind(limit).fetch_all(self.reader()).await?;
        rows.iter().map(line_of).collect()
    }

    /// Lines after `after`, the oldest first.
    pub async fn lines_after(&self, after: i64, limit: u32) -> Result<Vec<(Whose, Entry)>, ReadError> {
        let rows = sql(AFTER).bind(after).bind(limit).fetch_all(self.reader()).await?;
        rows.iter().map(line_of).collect()
    }
}

const BEFORE: &str = "SELECT * FROM history WHERE seq < $1 ORDER BY seq DESC LIMIT $2";
const AFTER: &str = "SELECT * FROM history WHERE seq > $1 ORDER BY seq LIMIT $2";

fn line_of(row: &Row) -> Result<(Whose, Entry), ReadError> {
    let subject = row::text(row, "subject")?;
    let whose = match subject.split_once(':') {
        Some(("host", id)) => Whose::Host(id.parse().map_err(|e| row::corrupt("subject", e))?),
        Some(("mac", mac)) => Whose::Machine(mac.parse().map_err(|e| row::corrupt("subject", e))?),
        Some(_) | None => Whose::Site,
    };
    Ok((whose, history::entry_of(row)?))
}

#[cfg(test)]
mod tests {
    use cairn_contract::{HostId, Timestamp};
    use cairn_domain::{Level, Note};
    use uuid::Uuid;

    use super::*;
    use crate::Line;

    #[tokio::test]
    async fn lines_of_all_are_read_in_both_directions_with_whose_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let whose = [
            Whose::Host(HostId(Uuid::new_v4())),
            Whose::Machine("52:54:00:00:00:01".parse().unwrap()),
            Whose::Site,
        ];
        let line =
            |whose| Line { whose, at: Timestamp(1), note: Note::new(Level::Info, "n", "x"), state: None };
        store.notes(&whose.map(line)).await.unwrap();
        let of = |lines: Vec<(Whose, Entry)>| lines.into_iter().map(|l| l.0).collect::<Vec<_>>();
        assert_eq!(of(store.lines_after(1, 10).await.unwrap()), whose[1..]);
        assert_eq!(of(store.lines_before(i64::MAX, 2).await.unwrap()), [whose[2], whose[1]]);
        assert_eq!(of(store.lines_before(3, 10).await.unwrap()), [whose[1], whose[0]]);
    }
}
