//! Memory whose address O_DIRECT accepts.

/// Logical blocks are 512 or 4096 bytes; the kernel wants the address aligned as well.
const ALIGN: usize = 4096;

/// A fixed number of bytes, zero at first, at an address that is a multiple of 4096.
#[derive(Debug)]
pub struct Buffer {
    storage: Vec<u8>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// `len` zero bytes.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let storage = vec![0; len.saturating_add(ALIGN)];
        let start = storage.as_ptr().align_offset(ALIGN);
        // Outside of const evaluation `align_offset` finds an offset for any alignment of bytes.
        Self { start: if start < ALIGN { start } else { 0 }, storage, len }
    }
}

impl std::ops::Deref for Buffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.storage.get(self.start..self.start + self.len).unwrap_or_default()
    }
}

impl std::ops::DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.storage.get_mut(self.start..self.start + self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_aligned_and_the_length_is_exact() {
        for len in [0, 1, 4096, 1 << 20] {
            let buffer = Buffer::new(len);
            assert_eq!((buffer.len(), buffer.as_ptr().addr() % ALIGN), (len, 0));
        }
    }
}
