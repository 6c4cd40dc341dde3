//! The `Range` header (RFC 9110 14): one byte range. Several ranges, other units and what cannot be read are ignored,
//! as the RFC allows: the client then gets the whole.

/// The part of a representation that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// `first` to `last`, both included.
    Slice {
        /// First byte.
        first: u64,
        /// Last byte.
        last: u64,
    },
    /// Asked for bytes that are not there.
    Unsatisfiable,
}

/// Reads a `Range` header for `len` bytes.
pub(super) fn part(header: Option<&str>, len: u64) -> Part {
    let Some(spec) = header.and_then(|h| h.trim().strip_prefix("bytes=")) else { return Part::Whole };
    let Some((from, to)) = spec.trim().split_once('-') else { return Part::Whole };
    match (number(from), number(to)) {
        (Ok(Some(first)), Ok(Some(last))) if first > last => Part::Whole,
        (Ok(Some(first)), Ok(_)) if first >= len => Part::Unsatisfiable,
        (Ok(Some(first)), Ok(last)) => {
            let end = len.saturating_sub(1);
            Part::Slice { first, last: last.unwrap_or(end).min(end) }
        }
        (Ok(None), Ok(Some(0))) => Part::Unsatisfiable,
        (Ok(None), Ok(Some(_))) if len == 0 => Part::Unsatisfiable,
        (Ok(None), Ok(Some(suffix))) => {
            Part::Slice { first: len.saturating_sub(suffix), last: len.saturating_sub(1) }
        }
        _ => Part::Whole,
    }
}

/// A number, nothing, or an error for all else. A number beyond `u64` is as good as the largest.
fn number(text: &str) -> Result<Option<u64>, ()> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(());
    }
    Ok(Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(header: &str, len: u64, expect: Part) {
        assert_eq!(part(Some(header), len), expect, "{header} of {len}");
    }

    #[test]
    fn single_ranges_are_read_as_the_rfc_says() {
        check("bytes=0-499", 1000, Part::Slice { first: 0, last: 499 });
        check("bytes=500-", 1000, Part::Slice { first: 500, last: 999 });
        check("bytes=-200", 1000, Part::Slice { first: 800, last: 999 });
        check("bytes=-2000", 1000, Part::Slice { first: 0, last: 999 });
        check("bytes=900-2000", 1000, Part::Slice { first: 900, last: 999 });
        check("bytes=0-99999999999999999999999", 10, Part::Slice { first: 0, last: 9 });
        check("bytes=1000-", 1000, Part::Unsatisfiable);
        check("bytes=-0", 1000, Part::Unsatisfiable);
        check("bytes=0-", 0, Part::Unsatisfiable);
    }

    #[test]
    fn what_cannot_be_read_gives_the_whole() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-3",
            "items=0-1",
            "bytes=0-1,5-6",
            "bytes=+1-2",
        ] {
            check(header, 1000, Part::Whole);
        }
        assert_eq!(part(None, 10), Part::Whole);
    }

    proptest! {
        #[test]
        fn a_slice_always_lies_within(header in "(bytes=)?[0-9]{0,22}-[0-9]{0,22}", len: u64) {
            if let Part::Slice { first, last } = part(Some(&header), len) {
                prop_assert!(first <= last && last < len);
            }
        }

        #[test]
        fn any_header_is_survived(header in ".*", len: u64) {
            part(Some(&header), len);
        }
    }
}
