//! The TPM's byte order: big-endian integers and `TPM2B` (16-bit length, then bytes), written and read with bounds.
//!
//! Own, rather than `tpm2-protocol`: that crate gives borrowed views over whole frames, and the fifteen commands used
//! here are shorter to write out than to wrap. Called by the other files of `tpm` only.

/// A command's parameters being written.
#[derive(Debug, Default, Clone)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn u8(mut self, v: u8) -> Self {
        self.0.push(v);
        self
    }

    pub(crate) fn u16(mut self, v: u16) -> Self {
        self.0.extend_from_slice(&v.to_be_bytes());
        self
    }

    pub(crate) fn u32(mut self, v: u32) -> Self {
        self.0.extend_from_slice(&v.to_be_bytes());
        self
    }

    pub(crate) fn bytes(mut self, v: &[u8]) -> Self {
        self.0.extend_from_slice(v);
        self
    }

    /// A `TPM2B`. Longer than 65,535 bytes is cut to an empty one, which the TPM refuses: no command fits it anyway.
    pub(crate) fn sized(self, v: &[u8]) -> Self {
        match u16::try_from(v.len()) {
            Ok(n) => self.u16(n).bytes(v),
            Err(_) => self.u16(0),
        }
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// The bytes ended before the structure did, or held an impossible length.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[error("the TPM's answer is cut short")]
pub struct Short;

/// A response being read. Every method fails rather than reads past the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], Short> {
        let (head, rest) = self.0.split_at_checked(n).ok_or(Short)?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        self.take(N)?.try_into().map_err(|_| Short)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Short> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Short> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Short> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn sized(&mut self) -> Result<&'a [u8], Short> {
        let n = self.u16()?;
        self.take(usize::from(n))
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_length_beyond_the_end_is_refused() {
        assert_eq!(Reader::new(&[0, 3, 1, 2]).sized(), Err(Short));
        assert_eq!(Reader::new(&[0, 2, 1, 2]).sized(), Ok(&[1u8, 2][..]));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(a: u16, b: u32, c in proptest::collection::vec(any::<u8>(), 0..300)) {
            let bytes = Writer::new().u16(a).sized(&c).u32(b).u8(7).done();
            let mut r = Reader::new(&bytes);
            prop_assert_eq!(r.u16(), Ok(a));
            prop_assert_eq!(r.sized(), Ok(&c[..]));
            prop_assert_eq!(r.u32(), Ok(b));
            prop_assert_eq!(r.u8(), Ok(7));
            prop_assert!(r.rest().is_empty());
        }
    }
}
