//! Cursor paging: `after` is an item's own key, so a page stays right while items come and go.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    problem::{Kind, Problem},
    view::Page,
};

/// Most items of one page.
pub const MAX_LIMIT: u32 = 500;
const DEFAULT_LIMIT: u32 = 100;

/// `?after=KEY&limit=N`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cursor {
    /// The last item that was read.
    after: Option<String>,
    /// Items of one page.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

impl Cursor {
    pub(crate) fn limit(&self) -> Result<u32, Problem> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            n @ 1..=MAX_LIMIT => Ok(n),
            _ => {
                let detail = format!("limit goes from 1 to {MAX_LIMIT}.");
                Err(Problem::new(Kind::Invalid, detail, "Ask for several pages.").at("limit"))
            }
        }
    }

    pub(crate) fn key(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// `after` as a sequence number; 0, before all, when absent.
    pub(crate) fn seq(&self) -> Result<i64, Problem> {
        sequence(self.after.as_deref())
    }
}

/// A sequence number from a query or a `Last-Event-ID`.
pub(crate) fn sequence(text: Option<&str>) -> Result<i64, Problem> {
    let Some(text) = text else { return Ok(0) };
    text.parse().ok().filter(|n| *n >= 0).ok_or_else(|| {
        Problem::new(Kind::Invalid, "after is not a sequence number.", "Use the seq of a line that you have.")
            .at("after")
    })
}

/// A page from a read of at most `limit` items.
pub(crate) fn page<T>(items: Vec<T>, limit: u32, key: impl Fn(&T) -> String) -> Page<T> {
    let full = u32::try_from(items.len()).is_ok_and(|n| n >= limit);
    let next = if full { items.last().map(key) } else { None };
    Page { items, next }
}

/// A page from a list that is whole in memory, ordered by `key`.
pub(crate) fn cut<T>(items: Vec<T>, cursor: &Cursor, key: impl Fn(&T) -> String) -> Result<Page<T>, Problem> {
    let limit = cursor.limit()?;
    let from = match cursor.key() {
        None => 0,
        // Gone meanwhile: the list begins anew rather than end early.
        Some(after) => items.iter().position(|i| key(i) == after).map_or(0, |i| i + 1),
    };
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let rest = items.len().saturating_sub(from);
    let items: Vec<T> = items.into_iter().skip(from).take(most).collect();
    let next = if rest > most { items.last().map(key) } else { None };
    Ok(Page { items, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_a_list_in_memory_hold_each_item_once() {
        let mut cursor = Cursor { after: None, limit: Some(2) };
        let mut seen = Vec::new();
        loop {
            let page = cut((0..5).collect(), &cursor, ToString::to_string).unwrap();
            seen.extend(page.items);
            match page.next {
                Some(next) => cursor.after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_limit_outside_its_bounds_is_refused() {
        for limit in [0, MAX_LIMIT + 1] {
            assert!(Cursor { after: None, limit: Some(limit) }.limit().is_err());
        }
    }
}
