//! Percent-decoding (RFC 3986 2.1) and the parameters of a query. A literal `+` stays one: media types have it.

/// The value of one parameter, decoded; the first when there are several, nothing when it is no UTF-8.
pub(crate) fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('=').or(Some((pair, ""))));
    pairs.filter(|(key, _)| *key == name).find_map(|(_, value)| decoded(value))
}

/// `%41` becomes `A`; nothing when the result is no UTF-8 or an escape is cut off.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            out.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

/// Text as a parameter's value.
pub(crate) fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'/');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_are_found_and_decoded() {
        let query = Some("n=2&last=a%2Fb&digest=sha256%3Aab&flag&n=3&t=x+y");
        assert_eq!(parameter(query, "n").as_deref(), Some("2"));
        assert_eq!(parameter(query, "last").as_deref(), Some("a/b"));
        assert_eq!(parameter(query, "digest").as_deref(), Some("sha256:ab"));
        assert_eq!(parameter(query, "flag").as_deref(), Some(""));
        assert_eq!(parameter(query, "t").as_deref(), Some("x+y"));
        assert_eq!((parameter(query, "x"), parameter(None, "n")), (None, None));
        assert_eq!((decoded("%"), decoded("%4"), decoded("%ff"), decoded("%zz")), (None, None, None, None));
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(text in "\\PC{0,40}") {
            prop_assert_eq!(decoded(&encoded(&text)), Some(text.clone()));
            let _never_panics = (decoded(&text), parameter(Some(&text), "n"));
        }
    }
}
