//! Crockford's base 32: digits and letters without I, L, O and U. For tokens and one-time codes only.

use zeroize::Zeroizing;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The first `length` characters for `bytes`, 5 bits each, most significant first. Ends early when `bytes` do.
pub(crate) fn encode(bytes: &[u8], length: usize) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(length));
    text.extend((0..length).map_while(|at| symbol(bytes, at)));
    text
}

fn symbol(bytes: &[u8], at: usize) -> Option<char> {
    let bit = at.checked_mul(5)?;
    let high = *bytes.get(bit / 8)?;
    let low = bytes.get(bit / 8 + 1).copied().unwrap_or(0);
    let pair = u16::from_be_bytes([high, low]);
    let five = (pair >> (11 - bit % 8)) & 31;
    ALPHABET.get(usize::from(five)).map(|c| char::from(*c))
}

/// Whether `c` is one of the 32, in lower case.
pub(crate) fn is_symbol(c: char) -> bool {
    u8::try_from(c).is_ok_and(|c| ALPHABET.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(*encode(&[0, 0, 0], 4), "0000");
        assert_eq!(*encode(&[0xff; 5], 8), "zzzzzzzz");
        // 00001 00010 00011 00100 00101 00110 00111 01000
        assert_eq!(*encode(&[0x08, 0x86, 0x42, 0x98, 0xe8], 8), "12345678");
    }

    #[test]
    fn it_ends_with_its_bytes() {
        assert_eq!(encode(&[1, 2], 100).len(), 4);
        assert_eq!(encode(&[], 8).len(), 0);
    }
}
