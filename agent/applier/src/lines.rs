//! Lines out of pieces of bytes, no line longer than a limit. Pure; `mirror` reads watches with it.

/// Collects pieces until a line is whole.
#[derive(Debug)]
pub(crate) struct Lines {
    rest: Vec<u8>,
    limit: usize,
}

/// A line is longer than the limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Lines {
    pub(crate) fn new(limit: usize) -> Self {
        Self { rest: Vec::new(), limit }
    }

    /// The lines that are whole with this piece, without empty ones.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        self.rest.extend_from_slice(piece);
        let mut out = Vec::new();
        if piece.contains(&b'\n') {
            let mut parts: Vec<Vec<u8>> = self.rest.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
            self.rest = parts.pop().unwrap_or_default();
            out = parts;
        }
        if self.rest.len() > self.limit {
            return Err(TooLong);
        }
        out.retain(|line| !line.trim_ascii().is_empty());
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_without_end_is_refused() {
        let mut lines = Lines::new(4);
        assert_eq!(lines.push(b"abcd"), Ok(vec![]));
        assert_eq!(lines.push(b"e"), Err(TooLong));
    }

    proptest! {
        #[test]
        fn pieces_make_the_same_lines_as_the_whole(text in "[ab\n]{0,60}", cut in 1_usize..9) {
            let mut lines = Lines::new(1000);
            let mut found: Vec<Vec<u8>> = Vec::new();
            for piece in format!("{text}\n").as_bytes().chunks(cut) {
                found.extend(lines.push(piece).unwrap());
            }
            let whole: Vec<Vec<u8>> = text.lines().filter(|l| !l.is_empty()).map(|l| l.as_bytes().to_vec()).collect();
            prop_assert_eq!(found, whole);
        }
    }
}
