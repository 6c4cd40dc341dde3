//! Host names: RFC 1123 labels.

/// Why a name is not a host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a host name is 1 to 63 of a-z, 0-9 and '-', and neither begins nor ends with '-'")]
pub struct NameError;

/// Checks a host name (RFC 1123 §2.1, lower case only).
pub fn check(name: &str) -> Result<(), NameError> {
    let ok = (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if ok { Ok(()) } else { Err(NameError) }
}

/// A name for a record that no operator made, from what the machine says: `serial` where it serves, else the EK's start.
pub fn propose(serial: &str, ek: &cairn_contract::Digest) -> String {
    let label: String = serial
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let label = label.trim_matches('-');
    let tail: String = ek.to_string().chars().take(8).collect();
    let head: String = label.chars().take(50).collect();
    if head.is_empty() { format!("host-{tail}") } else { format!("{}-{tail}", head.trim_matches('-')) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposed_name_is_always_a_name() {
        let ek = cairn_contract::Digest::of(b"x");
        for serial in ["", "SN-1", "  ", "äöü", "To Be Filled By O.E.M.", &"x".repeat(200)] {
            assert_eq!(check(&propose(serial, &ek)), Ok(()), "{serial}");
        }
    }

    #[test]
    fn names_with_other_characters_are_refused() {
        for bad in ["", "-a", "a-", "A", "a.b", "a b", "a\n"] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
