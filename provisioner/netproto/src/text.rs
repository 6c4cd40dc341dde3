//! Text that a stranger sent, made fit for a log line or a console: bounded, one line, ASCII only.
//! It is not an escape for any language; scripts have their own in [`crate::script`].

/// Longest text kept, in characters; the rest is cut and marked with `…`.
const LONGEST: usize = 96;

/// Foreign bytes as one bounded line: printable ASCII as it is, all else as `\xNN`, trailing NULs dropped.
pub fn printable(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last.saturating_add(1));
    let mut out = String::new();
    for byte in bytes.iter().take(end) {
        if out.len() >= LONGEST {
            out.push('…');
            break;
        }
        match byte {
            b'\\' => out.push_str("\\\\"),
            0x20..=0x7e => out.push(char::from(*byte)),
            other => out.push_str(&format!("\\x{other:02x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_length_cannot_reach_a_log_line() {
        assert_eq!(printable(b"PXEClient\0\0"), "PXEClient");
        assert_eq!(printable(b"a\nb\x1b[2J\xff\\"), "a\\x0ab\\x1b[2J\\xff\\\\");
        assert!(printable(&[b'a'; 4000]).chars().count() <= LONGEST + 1);
    }
}
