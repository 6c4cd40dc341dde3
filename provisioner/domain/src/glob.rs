//! `*` for any characters: how rules name serial numbers, addresses and models. Letter case does not count.

/// Most stars of a pattern; bounds the work.
pub const MAX_STARS: usize = 8;
/// Longest pattern, in bytes.
pub const MAX_LENGTH: usize = 128;

/// Whether `value` is as `pattern` says. Linear in both for each star.
pub fn matches(pattern: &str, value: &str) -> bool {
    let (pattern, value) = (pattern.to_lowercase(), value.to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = value.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, value) in [
            ("abc", "ABC"),
            ("a*", "a"),
            ("*", ""),
            ("a*c", "abbc"),
            ("a*b*c", "axxbyyc"),
            ("**", "x"),
            ("*b", "ab"),
        ] {
            assert!(matches(pattern, value), "{pattern} {value}");
        }
        for (pattern, value) in [("abc", "abcd"), ("a*c", "ab"), ("a*a", "a"), ("", "x"), ("*b*", "ac")] {
            assert!(!matches(pattern, value), "{pattern} {value}");
        }
    }
}
