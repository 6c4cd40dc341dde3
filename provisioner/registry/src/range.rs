//! Byte ranges: the `Range` of a pull (RFC 9110 14.2) and the `Content-Range` of a chunk (distribution-spec, "Pushing a
//! blob in chunks"), which is written without unit and total.

/// The part of a blob that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// `first` to `last`, both included and both there.
    Slice {
        /// First byte.
        first: u64,
        /// Last byte.
        last: u64,
    },
    /// Asked for bytes that are not there.
    Unsatisfiable,
}

impl Part {
    /// Reads a `Range` header for `size` bytes. Several ranges, other units and what cannot be read are ignored, as the
    /// RFC allows: the client then gets the whole.
    pub fn of(header: Option<&str>, size: u64) -> Self {
        let Some(spec) = header.and_then(|h| h.trim().strip_prefix("bytes=")) else { return Self::Whole };
        let Some((from, to)) = spec.split_once('-') else { return Self::Whole };
        let end = size.saturating_sub(1);
        match (number(from), number(to)) {
            (Ok(Some(first)), Ok(Some(last))) if first > last => Self::Whole,
            (Ok(Some(first)), Ok(_)) if first >= size => Self::Unsatisfiable,
            (Ok(Some(first)), Ok(last)) => Self::Slice { first, last: last.unwrap_or(end).min(end) },
            (Ok(None), Ok(Some(suffix))) if suffix == 0 || size == 0 => Self::Unsatisfiable,
            (Ok(None), Ok(Some(suffix))) => Self::Slice { first: size.saturating_sub(suffix), last: end },
            _ => Self::Whole,
        }
    }
}

/// Where a chunk of an upload belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkRange {
    /// Its first byte.
    pub first: u64,
    /// How many bytes; never 0.
    pub size: u64,
}

/// A `Content-Range` that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Content-Range must be FIRST-LAST, both included")]
pub struct RangeError;

impl ChunkRange {
    /// Reads `first-last`; also `bytes first-last/total`, which some clients send.
    ///
    /// # Errors
    /// Anything else, and a last byte before the first.
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        let text = text.trim();
        let text = text.strip_prefix("bytes").map_or(text, |rest| rest.trim_start_matches([' ', '=']));
        let text = text.split_once('/').map_or(text, |(range, _)| range);
        let (first, last) = text.split_once('-').ok_or(RangeError)?;
        let (Ok(Some(first)), Ok(Some(last))) = (number(first), number(last)) else { return Err(RangeError) };
        let size = last.checked_sub(first).and_then(|n| n.checked_add(1)).ok_or(RangeError)?;
        Ok(Self { first, size })
    }
}

/// A number, nothing, or an error for all else. A number beyond `u64` is as good as the largest.
fn number(text: &str) -> Result<Option<u64>, RangeError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(RangeError);
    }
    Ok(Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_range_is_read() {
        let slice = |first, last| Part::Slice { first, last };
        for (header, expect) in [
            ("bytes=0-0", slice(0, 0)),
            ("bytes=2-", slice(2, 9)),
            ("bytes=2-99", slice(2, 9)),
            ("bytes=-3", slice(7, 9)),
            ("bytes=-99", slice(0, 9)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=99999999999999999999-", Part::Unsatisfiable),
            ("bytes=3-2", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("lines=1-2", Part::Whole),
            ("bytes=-", Part::Whole),
        ] {
            assert_eq!(Part::of(Some(header), 10), expect, "{header}");
        }
        assert_eq!(Part::of(Some("bytes=-1"), 0), Part::Unsatisfiable);
        assert_eq!(Part::of(None, 10), Part::Whole);
    }

    #[test]
    fn chunks_say_where_they_belong() {
        let chunk = |first, size| Ok(ChunkRange { first, size });
        assert_eq!(ChunkRange::parse("0-0"), chunk(0, 1));
        assert_eq!(ChunkRange::parse("10-19"), chunk(10, 10));
        assert_eq!(ChunkRange::parse("bytes 10-19/*"), chunk(10, 10));
        for bad in ["", "-", "1-", "-1", "2-1", "a-b", "0-18446744073709551615", "1--2", "+1-2"] {
            assert_eq!(ChunkRange::parse(bad), Err(RangeError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_slice_lies_within_the_blob(header in "(bytes=)?[0-9, -]{0,24}|\\PC{0,20}", size: u64) {
            if let Part::Slice { first, last } = Part::of(Some(&header), size) {
                prop_assert!(first <= last && last < size);
            }
            if let Ok(chunk) = ChunkRange::parse(&header) {
                prop_assert!(chunk.size > 0 && chunk.first.checked_add(chunk.size - 1).is_some());
            }
        }
    }
}
