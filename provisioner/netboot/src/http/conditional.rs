//! Conditional requests (RFC 9110 13): the ETag is the digest, strong, so equal tags mean equal bytes.

/// The ETag of a digest in hexadecimal.
pub(super) fn etag(digest: &str) -> String {
    format!("\"{digest}\"")
}

/// True when `If-None-Match` names the representation: the client has it already. Weak comparison (13.1.2).
pub(super) fn has_it(if_none_match: Option<&str>, etag: &str) -> bool {
    let Some(list) = if_none_match else { return false };
    list.trim() == "*" || list.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag)
}

/// True when a `Range` may be honoured. A date in `If-Range` never matches: we send no Last-Modified.
pub(super) fn range_applies(if_range: Option<&str>, etag: &str) -> bool {
    if_range.is_none_or(|tag| tag.trim() == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_as_the_rfc_says() {
        let tag = etag("ab12");
        for header in ["\"ab12\"", "W/\"ab12\"", "\"x\", \"ab12\"", "*", " * "] {
            assert!(has_it(Some(header), &tag), "{header}");
        }
        for header in ["\"ab1\"", "ab12", "", "\"*\""] {
            assert!(!has_it(Some(header), &tag), "{header}");
        }
        assert!(!has_it(None, &tag));
        assert!(range_applies(None, &tag));
        assert!(range_applies(Some("\"ab12\""), &tag));
        assert!(!range_applies(Some("W/\"ab12\""), &tag), "a weak tag does not allow a range");
        assert!(!range_applies(Some("Sat, 29 Oct 1994 19:43:31 GMT"), &tag));
    }
}
