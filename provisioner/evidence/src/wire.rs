//! Bounded readers of the two byte orders of TPM evidence: big-endian structures of the TPM, little-endian records of
//! the event log. Not a codec: it knows no structure. Every parser of this crate reads through it, so no length that a
//! host sent is used unchecked.

/// Bytes that are not the structure they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The input ends inside this field.
    #[error("{0} is cut short")]
    Truncated(&'static str),
    /// The field is larger than any honest one.
    #[error("{0} is larger than allowed")]
    TooLarge(&'static str),
    /// The field has a value that is not understood here.
    #[error("{field} has the unexpected value {value:#x}")]
    Unexpected {
        /// Which field.
        field: &'static str,
        /// What was found.
        value: u64,
    },
    /// Bytes follow the end of the structure.
    #[error("{0} bytes follow the end of the structure")]
    Trailing(usize),
    /// The numbers are no valid public key.
    #[error("the numbers are not a valid public key")]
    Key,
}

/// A cursor over foreign bytes.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Malformed::Truncated(what))?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed::Truncated(what))?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, Malformed> {
        self.array(what).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        self.array(what).map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, Malformed> {
        self.array(what).map(u64::from_be_bytes)
    }

    pub(crate) fn u16_le(&mut self, what: &'static str) -> Result<u16, Malformed> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub(crate) fn u32_le(&mut self, what: &'static str) -> Result<u32, Malformed> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(crate) fn u64_le(&mut self, what: &'static str) -> Result<u64, Malformed> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A TPM2B: a 16-bit size and that many bytes, at most `max`.
    pub(crate) fn sized(&mut self, max: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let len = usize::from(self.u16(what)?);
        if len > max {
            return Err(Malformed::TooLarge(what));
        }
        self.take(len, what)
    }

    /// A length of the event log: 32 bits, little-endian, at most `max`.
    pub(crate) fn length_le(&mut self, max: usize, what: &'static str) -> Result<usize, Malformed> {
        let len = usize::try_from(self.u32_le(what)?).map_err(|_| Malformed::TooLarge(what))?;
        if len > max { Err(Malformed::TooLarge(what)) } else { Ok(len) }
    }

    /// The end: nothing may follow.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        match self.rest.len() {
            0 => Ok(()),
            more => Err(Malformed::Trailing(more)),
        }
    }
}

/// A TPM2B of bytes whose length the caller knows to be small.
pub(crate) fn sized(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).expect("a TPM2B made here is shorter than 64 KiB");
    let mut out = len.to_be_bytes().to_vec();
    out.extend_from_slice(bytes);
    out
}
